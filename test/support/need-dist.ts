import { inject } from 'vitest'
import type {} from './build-dist.ts'

// Never test an old program: if the sources do not compile, each suite that needs dist/ fails to load.
const error = inject('dist_error')
if (error) throw new Error(`dist/ could not be built from the sources:\n${error}`)
