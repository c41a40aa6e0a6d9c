/** Whether any of a rule's `cameras` names this one: `*` stands for any run of characters, everything else for itself. */
export function matchesCamera(globs: readonly string[], camera: string): boolean {
  return globs.some(glob => matches(glob, camera))
}

/** Each piece at its first place after the one before: a regular expression with many stars would try them all. */
function matches(glob: string, name: string): boolean {
  const [first = '', ...rest] = glob.split('*')
  const last = rest.pop()
  if (last === undefined) return glob === name
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const piece of rest) {
    const found = name.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
