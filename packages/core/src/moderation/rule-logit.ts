/** Beyond it a probability cannot be told from 0 or 1 in 64 bits; keeps logits finite when nothing competes. */
export const MAX_LOGIT = 50

/**
 * Log-odds that a frame shows what a rule looks for rather than any of what competes with it, in nats:
 *
 *   z = L p - ln(sum over c of exp(L c))
 *
 * with p = `positive`, the cosine of the best positive prompt, c = `competitors`, the cosines of the rule's negatives and
 * of the neutral prompts, and L = `logitScale`. `probability(z)` is `ruleScore` of the same arguments: CLIP's softmax
 * (Radford et al. 2021, 2.3) written as log-odds, in which evidence adds up.
 *
 * @returns between -50 and 50; 50 when nothing competes.
 */
export function ruleLogit(positive: number, competitors: readonly number[], logitScale: number): number {
  let odds = 0
  for (const competitor of competitors) odds += Math.exp(logitScale * (competitor - positive))
  return clamp(-Math.log(odds), -MAX_LOGIT, MAX_LOGIT)
}

/** The logistic function: log-odds in nats to a probability. */
export function probability(logit: number): number {
  return 1 / (1 + Math.exp(-logit))
}

/** Its inverse: a probability to log-odds in nats, at most 50 either way. */
export function logitOf(score: number): number {
  return clamp(Math.log(score) - Math.log1p(-score), -MAX_LOGIT, MAX_LOGIT)
}

/** Nats that log-odds z cost where the truth is `target`, between 0 and 1. Neither exp overflows (Lin, Lin, Weng 2007, 3). */
export function crossEntropy(logit: number, target: number): number {
  return logit >= 0
    ? (1 - target) * logit + Math.log1p(Math.exp(-logit))
    : -target * logit + Math.log1p(Math.exp(logit))
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
