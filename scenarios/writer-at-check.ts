/**
 * What the check does to writers, and they to it. While anybody has the file open for writing, the check fails
 * with ETXTBSY; while the check runs, nobody can open the file for writing; when it has returned, everybody can.
 */
import { scenario } from 'toctoscope'

export default scenario(import.meta, {
  name: 'writer-at-check',
  summary: 'A writer before, inside and after the check: who gets ETXTBSY',
  teaches:
    'deny_write_access() protects the check from writers. It does not protect what is done after the check.',
  params: {
    writer: ['before', 'any-time', 'after'],
    profile: ['6.14', '7.2'],
  },

  build(s, { writer }) {
    const script = { file: '#!/bin/i\n', mode: 0o777 }
    s.mount('/', s.filesystem('disk', { type: 'ext4', tree: { script } }))

    const checker = s.victim('checker')
    const open = () => checker.open('/script', 'O_WRONLY').as('own_writer').may_fail()
    if (writer === 'before') open()
    const fd = checker.open('/script', 'O_RDONLY')
    checker.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK').as('check').may_fail()
    if (writer === 'after') open()

    if (writer === 'before') {
      s.reaches({ 'checker.own_writer': 'ok', 'checker.check': 'ETXTBSY' }, 'the check meets the writer')
      s.never({ 'checker.own_writer': 'ok', 'checker.check': 'ok' }, 'the check ignores the writer')
    } else if (writer === 'after') {
      s.reaches({ 'checker.check': 'ok', 'checker.own_writer': 'ok' }, 'the denial is over')
      s.never({ 'checker.own_writer': 'ETXTBSY' }, 'the denial outlives the check')
    } else {
      const attacker = s.attacker('attacker')
      attacker.open('/script', 'O_WRONLY').as('open')
      s.reaches({ 'checker.check': 'ETXTBSY', 'attacker.open': 'ok' }, 'the writer came first')
      s.reaches({ 'checker.check': 'ok', 'attacker.open': 'ETXTBSY' }, 'the writer came inside the check')
      s.reaches({ 'checker.check': 'ok', 'attacker.open': 'ok' }, 'the writer came after the check')
      s.never({ 'checker.check': 'ETXTBSY', 'attacker.open': 'ETXTBSY' }, 'each kept the other out')
    }
  },

  expect: () => 'safe',
})
