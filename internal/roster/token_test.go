package roster_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestMintedSecretParsesToItsIDAndDigest(t *testing.T) {
	for prefix, mint := range map[string]func() (string, string, []byte){
		roster.TokenPrefix:  roster.MintToken,
		roster.APIKeyPrefix: roster.MintAPIKey,
	} {
		id, plain, hash := mint()
		gotID, gotHash, ok := roster.ParseSecret(prefix, plain)
		if !ok || gotID != id || !bytes.Equal(gotHash, hash) || !roster.SameSecret(hash, gotHash) {
			t.Errorf("ParseSecret(%q) = %s %x %t, want %s %x", plain, gotID, gotHash, ok, id, hash)
		}
		if strings.ContainsFunc(plain, func(r rune) bool {
			return r != '_' && (r < 'a' || r > 'z') && (r < '2' || r > '7')
		}) {
			t.Errorf("%q has letters that a shell or an URL would need to quote", plain)
		}
	}
}

func TestParseSecretRefusesWhatWasNotMinted(t *testing.T) {
	_, token, _ := roster.MintToken()
	_, key, _ := roster.MintAPIKey()
	flipped := []byte(token)
	flipped[40] = map[bool]byte{true: 'b', false: 'a'}[flipped[40] == 'a']
	for name, plain := range map[string]string{
		"nothing":                  "",
		"the prefix alone":         roster.TokenPrefix,
		"a key in place of it":     key,
		"a key under its prefix":   roster.TokenPrefix + strings.TrimPrefix(key, roster.APIKeyPrefix),
		"one letter changed":       string(flipped),
		"one letter lost":          token[:len(token)-1],
		"one letter more":          token + "a",
		"upper case":               strings.ToUpper(token),
		"bits after the last byte": token[:len(token)-1] + "7",
	} {
		t.Run(name, func(t *testing.T) {
			if id, _, ok := roster.ParseSecret(roster.TokenPrefix, plain); ok {
				t.Errorf("ParseSecret(%q) = %s, want it refused", plain, id)
			}
		})
	}
}

func TestSameSecretNeverMatchesAnEmptyDigest(t *testing.T) {
	if roster.SameSecret(nil, nil) || roster.SameSecret([]byte{}, []byte{}) {
		t.Error("an empty digest matches")
	}
}
