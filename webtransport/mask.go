package webtransport

import "skein.dev/skein/webtransport/mask"

// MaskConfig says which connections send their packets twice to hide loss. See package mask.
type MaskConfig = mask.Config

// DefaultMaskCeiling is the rate in bits per second up to which a connection counts as thin.
const DefaultMaskCeiling = mask.DefaultCeiling

// MaskState says whether a connection sends its packets twice, and if not, why.
type MaskState = mask.State
