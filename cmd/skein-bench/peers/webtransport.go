package peers

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	wt "github.com/quic-go/webtransport-go"

	"skein.dev/skein/webtransport/bare"
)

// bulkPath leads to streams that bare.Answer serves, every other path to the messages.
const bulkPath = "/bulk"

func serveWebTransport(ctx context.Context, addr string, ready func(net.Addr)) error {
	cert, err := NewCertificate()
	if err != nil {
		return err
	}
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	defer pc.Close()
	var handlers sync.WaitGroup
	defer handlers.Wait()
	s := &wt.Server{H3: &http3.Server{TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{cert}}),
		QUICConfig: &quic.Config{MaxIncomingStreams: bulkStreams}}}
	wt.ConfigureHTTP3Server(s.H3)
	s.H3.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers.Add(1)
		defer handlers.Done()
		sess, err := s.Upgrade(w, r)
		if err != nil {
			return
		}
		if r.URL.Path == bulkPath {
			bare.AnswerAll(sess.Context(), sess)
			return
		}
		each(sess.Context(), func(ctx context.Context, from int) error {
			str, err := sess.OpenUniStreamSync(ctx)
			if err != nil {
				return err
			}
			return speak(ctx, from, func(b []byte) error {
				_, err := str.Write(append(b, '\n'))
				return err
			})
		})
	})
	defer context.AfterFunc(ctx, func() { s.Close() })()
	ready(pc.LocalAddr())
	if err := s.Serve(pc); ctx.Err() == nil {
		return err
	}
	return nil
}

// followWebTransport leaves quic-go's settings as they are, but for what webtransport-go asks for and the number of
// streams: a hundred are allowed by themselves, and HTTP/3 has some of them.
func followWebTransport(ctx context.Context, addr string, take func(message)) error {
	t := &wt.Transport{TLSClientConfig: anyCertificate(),
		QUICConfig: &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true, MaxIncomingUniStreams: 2 * senders}}
	defer t.Close()
	_, sess, err := t.Dial(ctx, "https://"+addr+"/", nil)
	if err != nil {
		return err
	}
	defer sess.CloseWithError(0, "")
	return each(ctx, func(ctx context.Context, _ int) error {
		str, err := sess.AcceptUniStream(ctx)
		if err != nil {
			return err
		}
		defer context.AfterFunc(ctx, func() { str.CancelRead(0) })()
		return readLines(str, take)
	})
}
