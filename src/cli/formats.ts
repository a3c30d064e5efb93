/** Forms of a trace that `show` and `run` can draw. */
export const formats = ['text', 'mermaid', 'json'] as const
