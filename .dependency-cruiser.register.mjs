/** TypeScript 7 has no compiler API yet, so dependency-cruiser reads our sources with TypeScript 6 under another name. */
import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier.replace(/^typescript(?=$|\/)/, 'typescript-6'), context),
});
