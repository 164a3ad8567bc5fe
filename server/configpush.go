package server

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"
)

// PushConfig says how browsers are told of questions while no page is open in them.
type PushConfig struct {
	Off     bool
	Subject string // a mailto: or https: URL of whoever runs the server; "": the origin of the page that subscribed
	Private bool   // push services may be at addresses that are not public
}

// filePush is that in the configuration.
type filePush struct {
	Off     bool   `yaml:"off"`
	Subject string `yaml:"subject"`
	Private bool   `yaml:"private"`
}

const pushForm = "a mapping such as {subject: \"mailto:me@example.com\"} or {off: true}"

// read checks the configuration. nil: there is none.
func (f *filePush) read() (PushConfig, error) {
	if f == nil {
		return PushConfig{}, nil
	}
	c := PushConfig{Off: f.Off, Subject: f.Subject, Private: f.Private}
	if c.Subject != "" && !contact(c.Subject) {
		return c, fmt.Errorf("subject: %q is neither a mailto: URL, such as mailto:me@example.com, nor an https: URL", f.Subject)
	}
	return c, nil
}

// contact reports whether a URL is one that a push service takes (RFC 8292, section 2.1).
func contact(s string) bool {
	if address, mails := strings.CutPrefix(s, "mailto:"); mails {
		a, err := mail.ParseAddress(address)
		return err == nil && a.Address == address
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != ""
}
