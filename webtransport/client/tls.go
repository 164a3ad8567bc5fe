package client

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"skein.dev/skein/webtransport/wire"
)

var errCertificate = errors.New("the server's certificate is not the one that was announced")

// TLSConfig returns a configuration that trusts only the certificates with these hashes, or those that the system trusts
// if there are none.
func TLSConfig(hashes []wire.CertificateHash) *tls.Config {
	if len(hashes) == 0 {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyPeerCertificate verifies instead
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) > 0 {
				sum := sha256.Sum256(raw[0])
				for _, h := range hashes {
					if h.Algorithm == "sha-256" && bytes.Equal(h.Value, sum[:]) {
						return nil
					}
				}
			}
			return errCertificate
		},
	}
}
