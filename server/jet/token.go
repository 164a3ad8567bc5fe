package jet

import (
	"errors"
	"strings"
)

// A name of any bytes becomes one token of a subject: letters, digits, _, - and / stand for themselves; every other byte
// is written as = and two hexadecimal digits. Each name has exactly one token, and each token exactly one name.

const hexDigits = "0123456789ABCDEF"

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '/'
}

func encodeToken(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

var errToken = errors.New("not the token of a name")

func decodeToken(token string) (string, error) {
	b := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '=' {
			if i+2 >= len(token) {
				return "", errToken
			}
			hi, lo := strings.IndexByte(hexDigits, token[i+1]), strings.IndexByte(hexDigits, token[i+2])
			if hi < 0 || lo < 0 || plain(byte(hi<<4|lo)) {
				return "", errToken
			}
			c = byte(hi<<4 | lo)
			i += 2
		} else if !plain(c) {
			return "", errToken
		}
		b = append(b, c)
	}
	if len(b) == 0 {
		return "", errToken
	}
	return string(b), nil
}
