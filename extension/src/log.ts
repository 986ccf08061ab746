/** What the extension's parts log to: the editor's log channel fits it, and so does an array in a test. */
export type Log = {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
};
