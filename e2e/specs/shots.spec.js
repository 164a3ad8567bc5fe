import { REFUSED, dialog, expect, lines, openAgent, row, test } from '../fixtures/test.js'
import { someAgents } from './accessibility.spec.js'
