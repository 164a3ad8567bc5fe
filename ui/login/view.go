// Package login is what stands before the pages: signing in, and being refused.
package login

import "skein.dev/skein/webtransport/wire"

// LoginView is the page behind a login URL. It posts the token, so that a link preview does not use it up. Strangers
// get no static file: its style and script are inline, under Nonce.
type LoginView struct {
	Token string
	Next  string // where to go afterwards, a path; may be empty
	Node  wire.NodeID
	Nonce string // of the content security policy; without one the page has neither style nor script, and works
}

// RefusedView is the page for whoever may not see, or for what is not there. It stands alone.
type RefusedView struct {
	Status int
	Title  string // empty: after Status
	Detail string // what to do; empty: after Status
	Nonce  string

	Back, BackWord string // a link away from here, and its words; empty: to the fleet
}
