package roster

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/google/uuid"
)

// The prefixes of what is shown once and stored as a digest only. They let a secret scanner recognise a leaked one.
const (
	TokenPrefix  = "rst_"
	APIKeyPrefix = "rak_"
)

const (
	secretLen = 32
	plainLen  = 16 + secretLen + 4 // id, secret, checksum
)

var secretEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// MintToken makes a SCIM bearer token: plain is shown once, the digest of its secret is stored under the id.
func MintToken() (id, plain string, hash []byte) { return mint(TokenPrefix) }

// MintAPIKey makes a key for the management API, like MintToken.
func MintAPIKey() (id, plain string, hash []byte) { return mint(APIKeyPrefix) }

func mint(prefix string) (id, plain string, hash []byte) {
	u := uuid.Must(uuid.NewV7())
	raw := make([]byte, 0, plainLen)
	raw = append(raw, u[:]...)
	raw = append(raw, make([]byte, secretLen)...)
	_, _ = rand.Read(raw[len(u):]) // never fails: crypto/rand ends the process instead
	sum := sha256.Sum256(raw[len(u):])
	raw = binary.BigEndian.AppendUint32(raw, checksum(prefix, raw))
	return u.String(), prefix + secretEncoding.EncodeToString(raw), sum[:]
}

// ParseSecret takes apart what MintToken or MintAPIKey made. It reports false for anything that they cannot have made,
// so that a typing error or a random guess costs no look-up; whether the secret is the right one, SameSecret says.
func ParseSecret(prefix, plain string) (id string, hash []byte, ok bool) {
	body, ok := strings.CutPrefix(plain, prefix)
	if !ok || len(body) != secretEncoding.EncodedLen(plainLen) {
		return "", nil, false
	}
	raw, err := secretEncoding.DecodeString(body)
	if err != nil || len(raw) != plainLen || secretEncoding.EncodeToString(raw) != body {
		return "", nil, false
	}
	signed := raw[:plainLen-4]
	if binary.BigEndian.Uint32(raw[plainLen-4:]) != checksum(prefix, signed) {
		return "", nil, false
	}
	u, err := uuid.FromBytes(raw[:16])
	if err != nil {
		return "", nil, false
	}
	sum := sha256.Sum256(raw[16 : 16+secretLen])
	return u.String(), sum[:], true
}

// checksum covers the prefix too, so that a token is not taken for a key.
func checksum(prefix string, raw []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(prefix)), crc32.IEEETable, raw)
}

// SameSecret compares the digest of a presented secret with the stored one, in constant time.
func SameSecret(stored, presented []byte) bool {
	return len(stored) == sha256.Size && subtle.ConstantTimeCompare(stored, presented) == 1
}
