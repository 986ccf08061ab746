/** What the three parts of Hearth say to each other: schemas, error codes, header names. Depends on zod alone. */
export * from './agent.ts';
export * from './config.ts';
export * from './duration.ts';
export * from './errors.ts';
export * from './headers.ts';
export * from './infill.ts';
export * from './openai.ts';
export * from './operations.ts';
export * from './parse-body.ts';
export * from './secret.ts';
export * from './status.ts';
