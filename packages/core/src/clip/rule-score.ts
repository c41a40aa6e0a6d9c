/**
 * Probability that a frame shows what a rule looks for rather than any of what competes with it: the softmax that
 * CLIP was trained under (Radford et al. 2021, 2.3), at the model's own temperature,
 *
 *   score = exp(L p) / (exp(L p) + sum over c of exp(L c))
 *
 * with p = `positive`, the cosine of the best positive prompt, c = `competitors`, the cosines of the rule's negatives
 * and of the shared neutral prompts, and L = `logitScale`. Best positive and not all of them: more ways to say the same
 * thing must not make a rule more eager. Written as 1 / (1 + sum exp(L (c - p))), so that nothing overflows to NaN.
 *
 * @returns between 0 and 1; 1 when nothing competes.
 */
export function ruleScore(positive: number, competitors: readonly number[], logitScale: number): number {
  let odds = 0
  for (const competitor of competitors) odds += Math.exp(logitScale * (competitor - positive))
  return 1 / (1 + odds)
}
