/** Mount options of an overlay: which there are, which go together, and which are modelled (fs/overlayfs/params.c). */
import { EINVAL, EOPNOTSUPP } from '../kernel/errno.js'

/** Mount options of an overlay, as in mount(8). What is not modelled yet is refused by name. */
export interface OverlayOptions {
  /** Whether redirects of directories are followed, and made. Unless told `off`, which follows (redirect_always_follow). */
  readonly redirect_dir?: 'off' | 'follow' | 'nofollow' | 'on'
  /** Whether changes of mode or owner copy no data. */
  readonly metacopy?: 'off' | 'on'
  /** Whether the names of a lower file stay names of one file. */
  readonly index?: 'off' | 'on'
  /** Whether it can be exported over NFS. */
  readonly nfs_export?: 'off' | 'on'
  /** Whether inode numbers have the layer in their high bits. */
  readonly xino?: 'off' | 'auto' | 'on'
  /** Which uuid the file system has; nothing that is modelled asks for it. */
  readonly uuid?: 'off' | 'null' | 'auto' | 'on'
  /** Whether metacopy files carry the digest of their data, and must. */
  readonly verity?: 'off' | 'on' | 'require'
  /** Marks of layers are user.overlay.* attributes, not trusted.overlay.*. */
  readonly userxattr?: true
  /** Nothing is synced; only a crash could show it. */
  readonly volatile?: true
  /** Permission is asked of the overlay's own inodes, which it always is. */
  readonly default_permissions?: true
}

export type OverlayOption = keyof OverlayOptions

interface OptionValues {
  /** Values that mean here what they mean to the kernel. */
  readonly modelled: readonly (string | true)[]
  /** Values that the kernel has besides. */
  readonly others: readonly (string | true)[]
  /** What the others would need. */
  readonly lacking?: string
}

const on_or_off = (lacking: string): OptionValues => ({ modelled: ['off'], others: ['on'], lacking })
const flag: OptionValues = { modelled: [true], others: [] }

/** All options with the values that the kernel knows. */
export const overlay_options: { readonly [O in OverlayOption]-?: OptionValues } = {
  // No layer of a set-up has a redirect, so that whether they are followed makes no difference.
  redirect_dir: {
    modelled: ['off', 'follow', 'nofollow'],
    others: ['on'],
    lacking: 'directories of lower layers cannot be renamed yet',
  },
  metacopy: on_or_off('a copy-up always copies the data'),
  index: on_or_off('names of a lower file become files of their own when they are copied up'),
  nfs_export: on_or_off('there is no index'),
  xino: { modelled: ['off'], others: ['auto', 'on'], lacking: 'inode numbers are those of the layers' },
  uuid: { modelled: ['off', 'null', 'auto', 'on'], others: [] },
  verity: { modelled: ['off'], others: ['on', 'require'], lacking: 'there are no metacopy files' },
  userxattr: {
    modelled: [],
    others: [true],
    lacking: 'opaque directories are marked by trusted.overlay.opaque',
  },
  volatile: flag,
  default_permissions: flag,
}

/** Why there is no mount. */
export type Refusal = { readonly errno: number; readonly why: string }

export const invalid = (why: string): Refusal => ({ errno: -EINVAL, why })

/**
 * What is wrong with the options of a mount, or null.
 *
 * Errors, the first that holds: EINVAL (unknown option, unknown value), EINVAL (options that exclude each other),
 * EOPNOTSUPP (the kernel has it, the model has not).
 *
 * @param has_upper whether the overlay can be written
 */
export function check_options(options: OverlayOptions, has_upper: boolean): Refusal | null {
  const given = Object.entries(options)
  for (const [name, value] of given) {
    if (!Object.hasOwn(overlay_options, name)) return invalid(`overlay has no option ${name}`)
    const { modelled, others } = overlay_options[name as OverlayOption]
    const values = [...modelled, ...others]
    if (!values.includes(value)) return invalid(`${name}=${value}: the values are ${values.join(', ')}`)
  }
  const conflict = conflict_of(options, has_upper)
  if (conflict !== null) return invalid(`conflicting options: ${conflict}`)
  for (const [name, value] of given) {
    const { modelled, lacking } = overlay_options[name as OverlayOption]
    if (modelled.includes(value)) continue
    return { errno: -EOPNOTSUPP, why: `${mount_option(name, value)} is not modelled yet: ${lacking}` }
  }
  return null
}

/** As mount(8) takes it: `redirect_dir=on`, `volatile`. */
export const mount_option = (name: string, value: unknown): string =>
  value === true ? name : `${name}=${value}`

/** Two options that exclude each other, both of them given (fs/overlayfs/params.c: ovl_fs_params_verify; seen on 6.18). */
function conflict_of(options: OverlayOptions, has_upper: boolean): string | null {
  const { redirect_dir, metacopy, index, nfs_export, userxattr } = options
  const redirect = redirect_dir === undefined ? '' : `redirect_dir=${redirect_dir}`
  // Without an upper layer no redirect is made, and following them is all that a metacopy needs.
  const enough = redirect_dir === 'on' || (!has_upper && redirect_dir !== 'nofollow')
  if (metacopy === 'on' && redirect_dir !== undefined && !enough) return `metacopy=on,${redirect}`
  const dropped = !has_upper && redirect_dir !== 'nofollow'
  if (nfs_export === 'on' && index === 'off' && !dropped) return 'nfs_export=on,index=off'
  if (nfs_export === 'on' && metacopy === 'on' && has_upper) return 'nfs_export=on,metacopy=on'
  if (userxattr && redirect_dir !== undefined && redirect_dir !== 'nofollow') return `userxattr,${redirect}`
  return userxattr && metacopy === 'on' ? 'userxattr,metacopy=on' : null
}
