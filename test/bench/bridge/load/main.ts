/** The load generator as a process: takes one order after the other from whoever started it, on loopback only. */
import { abandon } from './abandon.ts';
import { arrivals } from './arrivals.ts';
import { concurrent } from './concurrent.ts';
import type { Order, ReportOf } from './orders.ts';

async function obey(order: Order): Promise<ReportOf[Order['order']]> {
  switch (order.order) {
    case 'arrivals':
      return await arrivals(order);
    case 'concurrent':
      return await concurrent(order);
    case 'abandon':
      return await abandon(order);
  }
}

process.on('message', (order: Order) => {
  void obey(order).then(
    (report) => process.send?.({ report }),
    (error: Error) => process.send?.({ error: error.stack ?? error.message }),
  );
});
// Whoever started it has gone: nothing here outlives that.
process.on('disconnect', () => process.exit());
