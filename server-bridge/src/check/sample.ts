/** A place in a piece of code where any coding model, the starter included, has one obvious thing to say. */
export const FIM_SAMPLE = {
  prefix: 'export function clamp(value: number, low: number, high: number) {\n  return ',
  suffix: '\n}\n',
};
