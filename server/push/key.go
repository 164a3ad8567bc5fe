package push

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"skein.dev/skein/server/datadir"
)

// tokenLifetime is how long a push service may take a token; RFC 8292, section 2, allows 24 hours at most.
const tokenLifetime = 12 * time.Hour

// pemType is the type of the block in the key's file, which is PKCS #8 (RFC 5958).
const pemType = "PRIVATE KEY"

// openKey reads the server's key from a file (0600), or makes it.
func openKey(path string) (*ecdsa.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of Web Push: %w", err)
	}
	if block, _ := pem.Decode(b); block != nil {
		k, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := k.(*ecdsa.PrivateKey); ok && key.Curve == elliptic.P256() {
			return key, os.Chmod(path, 0o600)
		}
	}
	return nil, fmt.Errorf("%s has no key of Web Push; remove it to make another, which each browser then subscribes with again", path)
}

func makeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("keep the key of Web Push: %w", err)
	}
	if err := datadir.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})); err != nil {
		return nil, fmt.Errorf("keep the key of Web Push: %w", err)
	}
	return key, nil
}

// publicKey is the uncompressed point of a key, as base64url (RFC 8292, section 3.2).
func publicKey(k *ecdsa.PrivateKey) (string, error) {
	b, err := k.PublicKey.Bytes()
	return encode(b), err
}

// authorization is the header of a message: a JWT that the key signs for one push service, and the key (RFC 8292, section 3; RFC 7518,
// section 3.4).
func authorization(k *ecdsa.PrivateKey, audience, subject string, now time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
		Subject  string `json:"sub"`
	}{audience, now.Add(tokenLifetime).Unix(), subject})
	if err != nil {
		return "", err
	}
	signed := encode([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	public, err := publicKey(k)
	return "vapid t=" + signed + "." + encode(signature[:]) + ", k=" + public, err
}

// encode is base64url without padding (RFC 7515, section 2).
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
