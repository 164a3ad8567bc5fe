package peers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// anyCertificate is how a client trusts the server of the benchmark.
func anyCertificate() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// NewCertificate makes a certificate that nobody checks.
func NewCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// serveTLS serves HTTP/1, or HTTP/2 alone, until ctx ends, and waits for its handlers.
func serveTLS(ctx context.Context, addr string, ready func(net.Addr), http2 bool, h http.HandlerFunc) error {
	cert, err := NewCertificate()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	var handlers sync.WaitGroup
	defer handlers.Wait()
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			h(w, r)
		}),
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{cert}},
		Protocols:   protocols(http2),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	ready(ln.Addr())
	if err := s.ServeTLS(ln, "", ""); ctx.Err() == nil {
		return err
	}
	return nil
}

func protocols(http2 bool) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	return &p
}
