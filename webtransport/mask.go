package webtransport

import "skein.dev/skein/webtransport/mask"

// MaskConfig says which connections send their packets twice, to hide loss (package mask).
type MaskConfig = mask.Config

// DefaultMaskCeiling is the rate up to which a connection counts as thin, in bits a second.
const DefaultMaskCeiling = mask.DefaultCeiling

// MaskState is whether a connection does, and why not.
type MaskState = mask.State
