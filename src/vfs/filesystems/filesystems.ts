/** The file system types that a set-up can name (fs/filesystems.c). The overlay is one too: its mount makes it. */
import { register_filesystem } from '../../kernel/fs.js'
import { erofs } from './erofs.js'
import { ext4 } from './ext4.js'
import { proc } from './proc.js'
import { tmpfs } from './tmpfs.js'

const types = [tmpfs, ext4, erofs, proc] as const

export type FileSystemType = (typeof types)[number]['name']
export const filesystem_types: readonly FileSystemType[] = types.map(({ name }) => name)

for (const type of types) register_filesystem(type)
