/** What a viewer may see, as it is typed: one glob a line. */

export function scopeOf(text: string): string[] | null {
  const globs = text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  return globs.length === 0 ? null : [...new Set(globs)]
}

export function withGlob(text: string, glob: string): string {
  return [...(scopeOf(text) ?? []), glob].join('\n')
}

export function scopeWords(scope: readonly string[] | null): string {
  return scope === null ? 'everything' : scope.join(', ')
}
