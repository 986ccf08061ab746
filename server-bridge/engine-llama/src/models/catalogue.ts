/** The models Hearth knows by name, and where each is fetched from. */

export interface KnownModel {
  readonly name: string;
  readonly file: string;
  readonly url: string;
  readonly sha256: string;
  readonly bytes: number;
}

export const DEFAULT_MODEL: KnownModel = {
  name: 'qwen2.5-coder-1.5b',
  file: 'qwen2.5-coder-1.5b-instruct-q4_k_m.gguf',
  // A pinned revision: the sum and size below are of this very file.
  url: 'https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/f86cb2c1fa58255f8052cc32aeede1b7482d4361/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf',
  sha256: 'cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046',
  bytes: 1_117_320_768,
};

export const CATALOGUE: readonly KnownModel[] = [DEFAULT_MODEL];

/** The name of the model made from our own sources, which needs no hub. */
export const STARTER_NAME = 'hearth-starter';
