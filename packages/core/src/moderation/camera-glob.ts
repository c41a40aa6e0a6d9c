/** Whether any of a rule's `cameras` names this one: `*` stands for any run of characters, everything else for itself. */
export function matchesCamera(globs: readonly string[], camera: string): boolean {
  return globs.some(glob => {
    const parts = glob.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`).test(camera)
  })
}
