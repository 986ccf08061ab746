/** Server-sent events out of text that arrives in pieces: whatever the pieces, the same events come out. */

/** Feed it decoded text; it gives the `data` of each event that is complete by then. Comments are dropped. */
export function sseParser(): (chunk: string) => string[] {
  let rest = '';
  let data: string[] = [];
  return (chunk) => {
    const events: string[] = [];
    rest += chunk;
    for (;;) {
      const end = /\r\n|\n|\r(?=[^])/.exec(rest);
      if (end === null) return events;
      const line = rest.slice(0, end.index);
      rest = rest.slice(end.index + end[0].length);
      if (line === '') {
        if (data.length > 0) events.push(data.join('\n'));
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    }
  };
}
