/** Gives a message in the user's language, `{0}`… filled in. */
export type Translate = (message: string, ...values: (string | number)[]) => string;
