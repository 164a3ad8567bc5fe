package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// agentToken begins the tokens of agents.
const agentToken = "agent."

// AgentToken makes a token by which an agent makes requests. It is good while the agent is alive, and until the server ends.
func (a *Authenticator) AgentToken(id wire.AgentID) string {
	return agentToken + string(id) + "." + base64.RawURLEncoding.EncodeToString(a.sign(id))
}

func (a *Authenticator) sign(id wire.AgentID) []byte {
	m := hmac.New(sha256.New, a.agents[:])
	m.Write([]byte(id))
	return m.Sum(nil)
}

// Agent returns the agent that a token was made for. Whether it is alive is for the caller to see.
func (a *Authenticator) Agent(token string) (wire.AgentID, bool) {
	rest, is := strings.CutPrefix(token, agentToken)
	id, mac, two := strings.Cut(rest, ".")
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if !is || !two || err != nil || !hmac.Equal(sum, a.sign(wire.AgentID(id))) {
		return "", false
	}
	return wire.AgentID(id), true
}
