/** Wrong arguments are compile errors: `npm run types` fails where one of the marked lines is none. */
import { expect, test } from 'vitest'
import { make_scenario } from '../../src/scenario/builder.js'
import { define_module } from '../../src/scenario/code_module.js'
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
    // @ts-expect-error an exec that runs the file is no check
    t.use(bytes, { relies: t.execveat(fd, '', null, null, 'AT_EMPTY_PATH') })
    // @ts-expect-error nor is one without flags
    t.use(bytes, { relies: t.execveat(fd, '/x', null, null, 0) })
    t.use(bytes, { relies: t.execveat(fd, '', null, null, 0x11000) })
    // @ts-expect-error no such flag of an exec
    t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXEC_CHECK')
    // @ts-expect-error no such type of files
    t.mknod('/p', 'S_IFIFO|bogus')
    t.mknod('/p', 'S_IFIFO|0644')
    // @ts-expect-error no such release
    s.profile('6.13')
    s.profile('6.19+ovl_read_pinned')
    // @ts-expect-error no such errno
    s.never({ 't.open': 'EFOO' })
    s.never({ 't.open': 'ok', 't.read': 3, 't.peek': 'SIGBUS' })
    // @ts-expect-error no such hook
    s.rules('r', [{ hook: 'file_opened', answer: 'EACCES' }])
    // @ts-expect-error no such condition
    s.rules('r', [{ hook: 'file_open', when: { pth: '/f' }, answer: 'EACCES' }])
    // @ts-expect-error no such errno
    s.rules('r', [{ hook: 'file_open', answer: 'EFOO' }])
    s.rules('r', [{ hook: 'file_open', when: { path: '/f' }, answer: 'ALLOW' }])
    // @ts-expect-error no such errno
    define_module({ name: 'm', hooks: { file_open: () => 'EFOO' } })
    // @ts-expect-error no such capability
    s.task('v', { capabilities: ['CAP_FOO'] })
    // @ts-expect-error no octal digits
    s.filesystem('y', { type: 'tmpfs', tree: { f: { file: '', mode: 'rwx' } } })
    s.filesystem('z', { type: 'tmpfs', tree: { f: { file: '', mode: '0644' } } })
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

test('a parameter `profile` names releases', () => {
  const build = () => {}
  make_scenario({
    name: 'a',
    summary: 'b',
    params: { profile: ['6.18', '7.2+ovl_read_pinned'], n: [1] },
    build,
  })
  // @ts-expect-error no such release
  make_scenario({ name: 'a', summary: 'b', params: { profile: ['6.18', '6.13'] }, build })
})
