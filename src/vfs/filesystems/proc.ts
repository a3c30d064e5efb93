/**
 * A stand-in for procfs (fs/proc): an empty directory that nobody can write to, so that there is something to
 * mount at /proc. What processes show there is not modelled.
 */
import { register_filesystem } from '../../kernel/fs.js'
import { simple_empty, simple_lookup } from './simple.js'

register_filesystem({ name: 'proc', lookup: simple_lookup, is_empty: simple_empty })
