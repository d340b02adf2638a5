package idpsim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// signedToken is a JWT in compact form, taken apart and not yet verified (RFC 7515, section 7.1).
type signedToken struct {
	algorithm string
	keyID     string
	claims    claimSet
	signed    string // what the signature is over
	signature []byte
}

func readJWT(text string) (*signedToken, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("it is not made of three parts")
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	out := &signedToken{signed: parts[0] + "." + parts[1]}
	for i, into := range []any{&header, &out.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, fmt.Errorf("part %d is not base64url: %w", i+1, err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return nil, fmt.Errorf("part %d is not JSON: %w", i+1, err)
		}
	}
	var err error
	if out.signature, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return nil, fmt.Errorf("the signature is not base64url: %w", err)
	}
	out.algorithm, out.keyID = header.Algorithm, header.KeyID
	return out, nil
}

// audience reports whether the token is meant for a place: aud is one text or a list of them.
func (j *signedToken) audience(place string) bool {
	var one string
	var many []string
	if json.Unmarshal(j.claims.Audience, &one) == nil {
		return one == place
	}
	return json.Unmarshal(j.claims.Audience, &many) == nil && slices.Contains(many, place)
}

// signedBy reports whether one of the keys signed the token: the one that it names, or any where it names none. Only
// signatures by a private key count, whatever the token says (RFC 8725, section 3.1).
func (j *signedToken) signedBy(keys map[string]crypto.PublicKey) bool {
	sum := sha256.Sum256([]byte(j.signed))
	for id, key := range keys {
		if j.keyID != "" && j.keyID != id {
			continue
		}
		switch key := key.(type) {
		case *rsa.PublicKey:
			if j.algorithm == "RS256" && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], j.signature) == nil {
				return true
			}
		case *ecdsa.PublicKey:
			half := len(j.signature) / 2
			r, s := new(big.Int).SetBytes(j.signature[:half]), new(big.Int).SetBytes(j.signature[half:])
			if j.algorithm == "ES256" && len(j.signature) == 64 && ecdsa.Verify(key, sum[:], r, s) {
				return true
			}
		}
	}
	return false
}
