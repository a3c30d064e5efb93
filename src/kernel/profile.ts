/**
 * Kernel profiles: named sets of features in which releases differ, and proposals that never landed.
 * A rule asks `k.has('feature')`, never for a version.
 */
export const features = {
  exec_denies_writes: 'exec and its check deny writes while they run (removed in 6.11, restored in 6.13)',
  at_execve_check: 'execveat(AT_EXECVE_CHECK) and the exec securebits (6.14)',
  ipe_execve_check: 'IPE judges the check in bprm_creds_for_exec (6.19, commit 67678189e492)',
  truncate_dac_first:
    'truncate(2) asks for permission before mnt_want_write (with the HSM rework; 6.18 seen)',
  ipe_backing_metadata: 'proposal: IPE judges the metadata inode of an overlay file (D_REAL_METADATA)',
  pkeys:
    'of the machine, not of a release: memory mapped PROT_EXEC alone cannot be read (x86 protection keys: ospke in /proc/cpuinfo)',
  protected_symlinks:
    'of the machine, not of a release: links of others in sticky directories are not followed (sysctl fs.protected_symlinks = 1)',
  ovl_read_pinned: 'proposal: read() on an overlay file stays with the real file recorded at open',
} as const

export type Feature = keyof typeof features

/**
 * Differences that are known and for which the model has no rule: nothing would ask for them, so that a profile
 * with one of them would be another in name only. They are refused by name until they have a rule.
 */
export const features_without_rule = {
  o_emptypath: 'openat(O_EMPTYPATH) (7.2)',
  keeps_securebits_in_user_ns: 'the exec securebits survive CLONE_NEWUSER (7.3)',
  o_deny_write:
    'proposal: openat(O_DENY_WRITE) keeps writers out while a descriptor is open (RFC, August 2025)',
} as const

export interface Profile {
  readonly name: string
  readonly features: ReadonlySet<Feature>
}

const releases = {
  '6.11': [],
  '6.12': ['exec_denies_writes'],
  '6.14': ['exec_denies_writes', 'at_execve_check', 'truncate_dac_first'],
  '6.18': ['exec_denies_writes', 'at_execve_check', 'truncate_dac_first'],
  '6.19': ['exec_denies_writes', 'at_execve_check', 'truncate_dac_first', 'ipe_execve_check'],
  '7.2': ['exec_denies_writes', 'at_execve_check', 'truncate_dac_first', 'ipe_execve_check'],
  '7.3': ['exec_denies_writes', 'at_execve_check', 'truncate_dac_first', 'ipe_execve_check'],
} as const satisfies Record<string, readonly Feature[]>

export type Release = keyof typeof releases
export const release_names = Object.keys(releases) as Release[]

/**
 * The profile of a release, with proposals added (`+`) or features left out.
 *
 * @param release one of `release_names`; `6.12` means 6.12.117
 * @param changes features to add, or to leave out with a `-` before the name
 */
export function profile(release: Release, changes: readonly (Feature | `-${Feature}`)[] = []): Profile {
  const set = new Set<Feature>(releases[release])
  for (const change of changes) {
    if (change.startsWith('-')) set.delete(change.slice(1) as Feature)
    else set.add(change as Feature)
  }
  return { name: [release, ...changes].join('+'), features: set }
}

/** The profile of this name (`6.19+ovl_read_pinned`); undefined where there is none. */
export function profile_named(name: string): Profile | undefined {
  const [release, ...changes] = name.split('+')
  const known = changes.every((change) => Object.hasOwn(features, change.replace(/^-/, '')))
  if (!known || !Object.hasOwn(releases, release!)) return undefined
  return profile(release as Release, changes as Feature[])
}
