/** Whether `ADDRESS/PREFIX` is a network as routes name it: nothing set after the prefix. Both families. */
import { isIPv4 } from 'node:net';

/** `text` is a well-formed CIDR block. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix] = text.split('/');
  const bits = isIPv4(address) ? bitsOfV4(address) : bitsOfV6(address);
  return !bits.slice(Number(prefix)).includes('1');
}

const bitsOfV4 = (address: string) => address.split('.').map(bitsOf(10, 8)).join('');

/** The URL parser brings every spelling, also one with an IPv4 tail, into groups with at most one gap. */
function bitsOfV6(address: string): string {
  const { hostname } = new URL(`http://[${address}]`);
  const [head = [], tail = []] = hostname
    .slice(1, -1)
    .split('::')
    .map((part) => part.split(':').filter(Boolean));
  const gap = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...gap, ...tail].map(bitsOf(16, 16)).join('');
}

const bitsOf = (radix: number, width: number) => (group: string) =>
  Number.parseInt(group, radix).toString(2).padStart(width, '0');
