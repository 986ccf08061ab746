/** PCI addresses in the one spelling that sysfs uses, whoever wrote them down. Pure. */

const ADDRESS = /^(?:([0-9a-f]{1,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/;

/**
 * `0000:0c:00.0`, from `0c:00.0` (lspci), `0000:0C:00.0` or `00000000:0C:00.0` (nvidia-smi). Undefined if it is none,
 * so what comes out is safe as the name of a folder.
 */
export function pciAddress(text: string): string | undefined {
  const [, domain = '0', rest] = ADDRESS.exec(text.trim().toLowerCase()) ?? [];
  if (rest === undefined) return undefined;
  return `${domain.replace(/^0+/, '').padStart(4, '0')}:${rest}`;
}
