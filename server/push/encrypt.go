package push

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

const (
	// recordSize is the size of the one record, in bytes, that a message says it has: each push service takes bodies of that size
	// (RFC 8030, section 7.2).
	recordSize = 4096
	// maxPlain is the longest message, in bytes: what is left of a body beside its header, the delimiter and the tag.
	maxPlain = recordSize - 16 - 4 - 1 - 65 - 1 - 16
	// padTo is what the length of a message is padded to a multiple of, in bytes, so that it says little about the question.
	padTo = 512
)

// seal encrypts a message for a browser: with a key and a salt of its own, and padded.
func seal(key, auth, plain []byte) ([]byte, error) {
	if len(plain) > maxPlain {
		return nil, fmt.Errorf("a message of %d bytes is too long", len(plain))
	}
	browser, err := ecdh.P256().NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	ours, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	padded := make([]byte, min((len(plain)/padTo+1)*padTo, maxPlain+1))
	padded[copy(padded, plain)] = 2 // of the last record (RFC 8188, section 2)
	salt := make([]byte, 16)
	rand.Read(salt)
	return encrypt(browser, auth, ours, salt, padded)
}

// encrypt makes the body of a message (RFC 8291, sections 3.4 and 4; RFC 8188, section 2.1):
//
//	salt (16) · size of records (4) · 65 (1) · our public key (65) · the record: padded, encrypted with AES-128-GCM, and its tag (16)
func encrypt(browser *ecdh.PublicKey, auth []byte, ours *ecdh.PrivateKey, salt, padded []byte) ([]byte, error) {
	shared, err := ours.ECDH(browser)
	if err != nil {
		return nil, err
	}
	public := ours.PublicKey().Bytes()
	info := slices.Concat([]byte("WebPush: info\x00"), browser.Bytes(), public)
	ikm, err := hkdf.Key(sha256.New, shared, auth, string(info), 32)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	body := binary.BigEndian.AppendUint32(slices.Clone(salt), recordSize)
	body = append(append(body, byte(len(public))), public...)
	return gcm.Seal(body, nonce, padded, nil), nil
}
