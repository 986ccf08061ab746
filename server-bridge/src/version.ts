/** The version of this package, as commands and the status document tell it. */
import manifest from '../package.json' with { type: 'json' };

export const VERSION: string = manifest.version;
