/** Wrong arguments are compile errors: `npm run types` fails where one of the marked lines is none. */
import { expect, test } from 'vitest'
import { one_case } from './support.js'

test('what the types refuse', () => {
  const scenario = one_case((s) => {
    const t = s.task('t')
    const fd = t.open('/x', 'O_RDWR|O_CREAT', 0o644)
    const bytes = t.read(fd, 10)
    const st = t.fstat(fd)
    const check = t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    t.use(bytes, { relies: check })
    t.pread(fd, st.st_size, 0)
    t.write(fd, bytes)
    t.if(fd.failed_with('EACCES'), () => t.stop())

    // @ts-expect-error a flag that does not exist
    t.open('/x', 'O_RDWR|O_CREATE')
    // @ts-expect-error a flag of another call
    t.open('/x', 'PROT_READ')
    // @ts-expect-error an empty flag
    t.open('/x', 'O_RDWR|')
    // @ts-expect-error the path is missing
    t.open('O_RDONLY')
    // @ts-expect-error a path is no descriptor
    t.read('/x', 10)
    // @ts-expect-error bytes are no descriptor
    t.read(bytes, 10)
    // @ts-expect-error an approval is no number of bytes
    t.read(fd, check)
    // @ts-expect-error stat has no such field
    t.read(fd, st.st_sise)
    // @ts-expect-error a descriptor carries no bytes
    t.use(fd, { relies: check })
    // @ts-expect-error only a check can be relied on
    t.use(bytes, { relies: fd })
    // @ts-expect-error a count is no address
    t.peek(bytes, 4)
    // @ts-expect-error no such errno
    t.if(fd.failed_with('EWRONG'), () => t.stop())
    // @ts-expect-error no such system call
    t.opeen('/x', 'O_RDONLY')
    // @ts-expect-error no such mount option
    s.bind('/a', '/b', ['readonly'])
    // @ts-expect-error no such file system type
    s.filesystem('x', { type: 'ext3' })
    // @ts-expect-error no such property
    s.property('check-uses')
    // @ts-expect-error no such role
    s.task('u', { role: 'hacker' })
  })
  // What is wrong for the types is wrong when the program is made, too.
  expect(() => scenario.cases).toThrow()
})
