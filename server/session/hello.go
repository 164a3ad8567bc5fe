package session

import (
	"errors"
	"slices"

	"skein.dev/skein/webtransport/wire"
)

// serveControl serves the control lane: first hello, then requests until the client leaves.
func (c *conn) serveControl(l *lane) {
	if err := c.hello(l); err != nil {
		e := wire.AsError(err)
		code := helloCode(e)
		c.log.Info("hello refused", "err", err)
		c.linger()
		c.sess.Close(uint32(code), e.Message)
		return
	}
	err := l.serve(c.dispatch)
	if c.ctx.Err() != nil || err == nil {
		return
	}
	if errors.Is(err, wire.ErrLineTooLong) {
		c.close(wire.CloseTooMuch, "a message is longer than the limit")
		return
	}
	c.close(wire.CloseProtocol, "the control lane broke")
}

func helloCode(e *wire.Error) wire.CloseCode {
	switch e.Code {
	case wire.CodeUnauthorized:
		return wire.CloseUnauthorized
	case wire.CodeTicketExpired:
		return wire.CloseTicketExpired
	case wire.CodeVersion:
		return wire.CloseVersion
	case wire.CodeUnavailable:
		return wire.CloseShutdown
	case wire.CodeInternal:
		return wire.CloseInternal
	}
	return wire.CloseProtocol
}

// hello reads the first message and answers it, with welcome or with an error.
func (c *conn) hello(l *lane) error {
	m, err := l.r.Message()
	if err != nil {
		var we *wire.Error
		if errors.As(err, &we) {
			l.send(wire.NewError(nil, we))
			return we
		}
		return wire.Errorf(wire.CodeInvalidRequest, "the control lane ended before hello")
	}
	w, err := c.checkHello(m)
	if err != nil {
		l.send(wire.NewError(m.ID, wire.AsError(err)))
		return err
	}
	c.ctrl = l
	res, err := wire.NewResult(m.ID, w)
	if err != nil {
		return err
	}
	if err := l.send(res); err != nil {
		return err
	}
	c.log = c.log.With("client", c.client.Name)
	c.log.Debug("session open")
	close(c.welcomed)
	if c.s.Auth.Revoked(c.who) { // signed out meanwhile, before SignOut could find this session
		go c.close(wire.CloseLoggedOut, "signed out")
	}
	return nil
}

func (c *conn) checkHello(m *wire.Message) (*wire.Welcome, error) {
	if m.Method != wire.MethodHello || !m.IsRequest() {
		return nil, wire.Errorf(wire.CodeInvalidRequest, "the first message must be the request hello")
	}
	var h wire.Hello
	if err := wire.DecodeParams(m.Params, &h); err != nil {
		return nil, err
	}
	if !slices.Contains(h.Versions, wire.Version) {
		return nil, wire.Errorf(wire.CodeVersion, "this server speaks %s, the client offers %q", wire.Version, h.Versions).
			WithField("versions").WithSupported([]string{wire.Version})
	}
	who, err := c.s.Auth.Redeem(h.Ticket)
	if err != nil {
		return nil, err
	}
	if len(h.Client.ID) < wire.MinClientID || len(h.Client.ID) > wire.MaxClientID || len(h.Client.Name) > 128 || len(h.Client.Version) > 128 {
		return nil, wire.Errorf(wire.CodeInvalidParams, "client.id must have 16 to 128 characters, client.name and client.version at most 128").WithField("client.id")
	}
	if err := wire.CheckNames("client.name", h.Client.ID, h.Client.Name, h.Client.Version); err != nil {
		return nil, err
	}
	if c.s.draining.Load() {
		return nil, wire.Errorf(wire.CodeUnavailable, "the server is stopping")
	}
	c.who, c.client, c.noStatus = who, h.Client, h.NoStatus
	return &wire.Welcome{
		Version: wire.Version, Session: c.id, Epoch: c.s.Plane.Epoch(), Node: c.s.Plane.Node(), Server: c.s.Version,
		Recovered: h.Resume != nil && h.Resume.Epoch == c.s.Plane.Epoch(),
		Limits: wire.Limits{MaxMessage: wire.MaxMessage, MaxStreams: int(c.s.MaxStreams), MaxBatch: wire.MaxBatch,
			MaxInput: wire.MaxInput, MaxDatagram: wire.MaxStatusDatagram},
	}, nil
}
