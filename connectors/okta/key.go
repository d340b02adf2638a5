package okta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

const minRSABits = 2048

// assertionTime is how long an assertion is good for. Okta refuses more than an hour, by its own clock, so that the hour
// that the SDK takes fails where ours is ahead.
const assertionTime = 5 * time.Minute

// signingKey is the private key of a service application.
type signingKey struct {
	key       crypto.Signer
	algorithm string
	id        string
}

// parseKey reads a private key in PEM: PKCS #8, as Okta's console shows it, PKCS #1 or SEC 1. Its errors never repeat the
// text. A newline may be written as \n, as it is in environment variables.
func parseKey(text, id string) (*signingKey, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, `\n`, "\n"))
	if strings.HasPrefix(text, "{") {
		return nil, errors.New("private_key is a JWK: choose PEM where Okta shows the key")
	}
	block, _ := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, errors.New(`private_key is no key in PEM: it begins with "-----BEGIN PRIVATE KEY-----"`)
	case strings.Contains(block.Type, "PUBLIC"), block.Type == "CERTIFICATE":
		return nil, fmt.Errorf("private_key holds a %s: the private one of the pair is needed", strings.ToLower(block.Type))
	case strings.Contains(block.Type, "ENCRYPTED"), block.Headers["DEK-Info"] != "":
		return nil, errors.New("private_key is encrypted with a passphrase: give it without one")
	}
	key, err := parseBlock(block)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return nil, fmt.Errorf("private_key has %d bits: Okta asks for %d", bits, minRSABits)
		}
		return &signingKey{key: key, algorithm: "RS256", id: id}, nil
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("private_key is on the curve %s: take RSA or P-256", key.Params().Name)
		}
		return &signingKey{key: key, algorithm: "ES256", id: id}, nil
	}
	return nil, fmt.Errorf("private_key is of the kind %T: take RSA or P-256", key)
}

func parseBlock(block *pem.Block) (any, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errors.New("private_key can't be read: it is damaged, or of a kind that is not known")
	}
	return key, nil
}

// assert makes and signs what an application proves with who it is (RFC 7523, section 2.2; Okta documentation, "Build a JWT
// for client authentication"). The time of issue is left out: Okta doesn't need it, and refuses one from a clock ahead.
func (k *signingKey) assert(clientID, audience string, now time.Time) (string, error) {
	header := map[string]string{"alg": k.algorithm, "typ": "JWT"}
	if k.id != "" {
		header["kid"] = k.id
	}
	claims := map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience, "exp": now.Add(assertionTime).Unix(), "jti": rand.Text(),
	}
	var signed string
	for _, part := range []any{header, claims} {
		raw, err := json.Marshal(part)
		if err != nil {
			return "", fmt.Errorf("encode an assertion: %w", err)
		}
		signed += "." + base64.RawURLEncoding.EncodeToString(raw)
	}
	signed = signed[1:]
	sum := sha256.Sum256([]byte(signed))
	signature, err := k.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err == nil && k.algorithm == "ES256" {
		signature, err = joined(signature)
	}
	if err != nil {
		return "", fmt.Errorf("sign an assertion: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// joined turns an ASN.1 signature into the two numbers side by side that a JWT has (RFC 7518, section 3.4).
func joined(signature []byte) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &pair); err != nil {
		return nil, fmt.Errorf("read the signature: %w", err)
	}
	const size = 32
	return append(pair.R.FillBytes(make([]byte, size)), pair.S.FillBytes(make([]byte, size))...), nil
}
