/** Every number of the plan that was not looked up but chosen, in one place, with what speaks for it. Pure. */

/** What memory sizes are counted in: a card of "96 GB" has 96 GiB (97,887 of 98,304 MiB by nvidia-smi). */
export const GIB = 2 ** 30;
/** What files are counted in on the hub. */
export const GB = 1e9;

/**
 * Share of a card that a plan may fill. The driver keeps 0.4 % of an RTX PRO 6000 (vllm-project/recipes#831); the rest is
 * for fragmentation and for whatever else opens the card. With ECC, an RTX 6000 Ada shows less: set memory_gb to that.
 */
export const USABLE_SHARE = 0.97;

/** vLLM's own default of --gpu-memory-utilization (vllm/config/cache.py). */
export const VLLM_UTILISATION = 0.92;

/** Tokens of a step: what vLLM and TensorRT-LLM read at once, and size their activations for. */
export const BATCHED_TOKENS = 8_192;

/**
 * Tokens that each request beside the longest one holds in a paged cache. A request for completion is a few thousand
 * tokens; when all are long at once, vLLM pauses the newest and computes it again later, which is slow but no error.
 */
export const OTHER_REQUEST_TOKENS = 8_192;

/**
 * vLLM and TensorRT-LLM beside weights and cache: 1 GiB of context and libraries, 1 GiB of CUDA graphs, 2 GiB of
 * activations for a step of 8,192 tokens. Assumed; the start-up log says what it was.
 */
export const PAGED_OVERHEAD = { bytes: 4 * GIB, parts: 'context 1 + CUDA graphs 1 + activations 2 GiB' };

/** llama-server: the driver's context on the card. Assumed. */
export const LLAMA_CONTEXT_BYTES = 0.5 * GIB;
/** Tokens of a physical batch (-ub); with experts in RAM a larger one spreads the cost of copying them. */
export const LLAMA_UBATCH = 1_024;
export const LLAMA_UBATCH_OFFLOADED = 2_048;
/** Activations as a multiple of the hidden size, in 4-byte numbers for each token of -ub. Assumed. */
export const LLAMA_ACTIVATION_WIDTH = 16;
/** An embedding's whole text must fit one physical batch; longer texts are refused by llama-server. */
export const LLAMA_POOLING_UBATCH = 8_192;

/** Bytes an element of q8_0 takes: blocks of 32 with a 2-byte scale. */
export const Q8_0_BYTES = 34 / 32;

/** Bytes a second when a model is read cold. Assumed: half of what a PCIe 4.0 NVMe drive reads at best. */
export const STORAGE_BYTES_PER_SECOND = 3 * GB;

/** Seconds from weights in place to the first answer. Assumed: compiled graphs from the cache, captured anew. */
export const WARM_UP_SECONDS = { vllm: 40, trtllm: 60, llamacpp: 5, embedded: 5 } as const;
