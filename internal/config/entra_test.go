package config_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/config"
)

// signing is an Entra connection without a way to sign in.
const signing = `connections:
  - organisation: default
    name: entra
    kind: entra
    entra:
      tenant_id: 00000000-0000-0000-0000-000000000000
      client_id: 00000000-0000-0000-0000-000000000000
      service_principal_id: 00000000-0000-0000-0000-000000000000
`

const someID = "11111111-2222-3333-4444-555555555555"

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certificateOf returns a certificate of a key in PEM, which has expired: that is no matter of the file.
func certificateOf(t *testing.T, key crypto.Signer) string {
	t.Helper()
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rosterd"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, from, from, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("CERTIFICATE", der)
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("PRIVATE KEY", der)
}

func TestWaysToSignInToEntra(t *testing.T) {
	key := rsaKey(t)
	pair := certificateOf(t, key) + inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	env := environment("SET", "hush", "PAIR", pair, "PAIR8", pkcs8(t, key)+certificateOf(t, key), "AZURE_FEDERATED_TOKEN_FILE", "/run/token")
	withoutClient := strings.Replace(signing, "      client_id: 00000000-0000-0000-0000-000000000000\n", "", 1)
	file := filepath.Join(t.TempDir(), "entra.pem")
	if err := os.WriteFile(file, []byte(pair), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		text string
		want config.Entra
	}{
		"secret":                    {signing + "      client_secret: ${env:SET}\n", config.Entra{ClientSecret: "hush"}},
		"certificate, PKCS#1":       {signing + "      certificate: ${env:PAIR}\n", config.Entra{Certificate: config.Secret(strings.TrimRight(pair, "\n"))}},
		"certificate, from a file":  {signing + "      certificate: \"${file:" + file + "}\"\n", config.Entra{Certificate: config.Secret(strings.TrimRight(pair, "\n"))}},
		"certificate, PKCS#8":       {signing + "      certificate: ${env:PAIR8}\n", config.Entra{Certificate: config.Secret(strings.TrimRight(pkcs8(t, key), "\n") + "\n")}},
		"certificate with chain":    {signing + "      certificate: ${env:PAIR}\n      send_certificate_chain: true\n", config.Entra{Certificate: config.Secret(strings.TrimRight(pair, "\n")), SendCertificateChain: true}},
		"the platform's token":      {signing + "      workload_identity: true\n", config.Entra{FederatedTokenFile: "/run/token"}},
		"a token elsewhere":         {signing + "      federated_token_file: /a/b\n", config.Entra{FederatedTokenFile: "/a/b"}},
		"both keys of it":           {signing + "      workload_identity: true\n      federated_token_file: /a/b\n", config.Entra{FederatedTokenFile: "/a/b"}},
		"switched off, and another": {signing + "      workload_identity: false\n      client_secret: ${env:SET}\n", config.Entra{ClientSecret: "hush"}},
		"the machine's identity":    {withoutClient + "      managed_identity: system\n", config.Entra{ManagedIdentity: "system"}},
		"an identity by its id":     {withoutClient + "      managed_identity: " + strings.ToUpper(someID) + "\n", config.Entra{ManagedIdentity: someID}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Load(write(t, tc.text), env)
			if err != nil {
				t.Fatal(err)
			}
			e := got.Connections[0].Entra
			if name == "certificate, PKCS#8" {
				if !strings.HasPrefix(e.Certificate.Reveal(), tc.want.Certificate.Reveal()) {
					t.Error("the certificate is not what was referred to")
				}
				tc.want.Certificate = e.Certificate
			}
			if e.ClientSecret != tc.want.ClientSecret || e.Certificate != tc.want.Certificate || e.SendCertificateChain != tc.want.SendCertificateChain ||
				e.FederatedTokenFile != tc.want.FederatedTokenFile || e.ManagedIdentity != tc.want.ManagedIdentity {
				t.Errorf("got %s", got.Redacted())
			}
			shown := got.Redacted()
			if strings.Contains(shown, "PRIVATE KEY") || strings.Contains(shown, "hush") {
				t.Errorf("a secret is shown:\n%s", shown)
			}
			for key, set := range map[string]bool{
				"certificate: \"[secret]\"": e.Certificate != "", "send_certificate_chain: true": e.SendCertificateChain,
				"federated_token_file: " + e.FederatedTokenFile: e.FederatedTokenFile != "", "managed_identity: " + e.ManagedIdentity: e.ManagedIdentity != "",
			} {
				if set != strings.Contains(shown, key) {
					t.Errorf("%q is shown: %t\n%s", key, !set, shown)
				}
			}
		})
	}
}

func TestProblemsOfSigningInToEntra(t *testing.T) {
	key, other := rsaKey(t), rsaKey(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	env := environment("SET", "hush", "PAIR", certificateOf(t, key)+pkcs8(t, key), "ALONE", certificateOf(t, key), "KEY", pkcs8(t, key),
		"MIXED", certificateOf(t, other)+pkcs8(t, key), "TWO", certificateOf(t, key)+pkcs8(t, key)+pkcs8(t, other),
		"CURVE", certificateOf(t, curve)+pkcs8(t, curve), "BROKEN", certificateOf(t, key)+inPEM("PRIVATE KEY", []byte("hush")),
		"BROKENCERT", inPEM("CERTIFICATE", []byte("hush"))+pkcs8(t, key),
		"LOCKED", certificateOf(t, key)+inPEM("ENCRYPTED PRIVATE KEY", []byte("hush")))
	const client = "      client_id: 00000000-0000-0000-0000-000000000000\n"
	for name, tc := range map[string]struct{ add, want string }{
		"none":                    {"", "FILE:6: client_secret is missing in the entra settings of connection entra: write client_secret: ${env:ENTRA_CLIENT_SECRET}, or certificate, workload_identity or managed_identity in its place"},
		"off is none":             {"workload_identity: false", "FILE:6: client_secret is missing"},
		"literal certificate":     {"certificate: entra.pem", `FILE:9: certificate must not stand in the file itself: write certificate: ${env:ENTRA_CERTIFICATE}, or certificate: "${file:`},
		"no PEM":                  {"certificate: ${env:SET}", `FILE:9: certificate refers to what can't be signed in with: it holds no PEM`},
		"no key":                  {"certificate: ${env:ALONE}", "it holds a certificate and no private key"},
		"no certificate":          {"certificate: ${env:KEY}", "it holds a private key and no certificate"},
		"another's key":           {"certificate: ${env:MIXED}", "its private key does not belong to its certificate"},
		"two keys":                {"certificate: ${env:TWO}", "it holds more than one private key"},
		"no RSA":                  {"certificate: ${env:CURVE}", "its private key is not RSA"},
		"broken key":              {"certificate: ${env:BROKEN}", "its private key can't be read"},
		"broken certificate":      {"certificate: ${env:BROKENCERT}", "its certificate can't be read"},
		"encrypted key":           {"certificate: ${env:LOCKED}", "its private key is encrypted: write it without a passphrase"},
		"chain of what":           {"client_secret: ${env:SET}\n      send_certificate_chain: true", "FILE:10: send_certificate_chain is for signing in with a certificate: take it out"},
		"secret and certificate":  {"certificate: ${env:PAIR}\n      client_secret: ${env:SET}", "FILE:9: client_secret and certificate are two ways to sign in: keep one of the two"},
		"secret and federation":   {"client_secret: ${env:SET}\n      federated_token_file: /a", "FILE:10: client_secret and federated_token_file are two ways to sign in"},
		"secret and managed":      {"client_secret: ${env:SET}\n      managed_identity: system", "FILE:10: client_secret and managed_identity are two ways to sign in"},
		"certificate and managed": {"certificate: ${env:PAIR}\n      managed_identity: system", "FILE:10: certificate and managed_identity are two ways"},
		"federation and managed":  {"federated_token_file: /a\n      managed_identity: system", "FILE:10: federated_token_file and managed_identity are two ways"},
		"token and managed":       {"graph_url: http://127.0.0.1:1\n      access_token: x\n      managed_identity: system", "FILE:10: access_token stands in for managed_identity: keep one of the two"},
		"off and a file":          {"workload_identity: false\n      federated_token_file: /a", "FILE:9: workload_identity: false and federated_token_file contradict each other"},
		"no variable":             {"workload_identity: true", "FILE:9: workload_identity reads the file that the environment variable AZURE_FEDERATED_TOKEN_FILE names, and it is not set: write federated_token_file: PATH"},
		"no flag":                 {"workload_identity: kubernetes", "FILE:9: workload_identity must be true or false"},
		"managed, and a client":   {"managed_identity: system", "FILE:7: client_id is for an app registration, and a managed identity signs in without one: take it out"},
		"managed, true":           {"managed_identity: true", "FILE:9: managed_identity must be system, or the client id of a user-assigned identity, such as 0"},
		"managed, a name":         {"managed_identity: rosterd", "FILE:9: managed_identity must be system, or the client id of a user-assigned identity, such as 0"},
		"a cloud unknown":         {"client_secret: ${env:SET}\n      cloud: germany", `FILE:10: cloud "germany" is not known: write public, usgov, usgov-dod or china`},
		"another cloud's Graph":   {"client_secret: ${env:SET}\n      cloud: usgov\n      graph_url: https://graph.microsoft.com", "FILE:10: cloud usgov and graph_url https://graph.microsoft.com contradict each other: take graph_url out, as Graph is at https://graph.microsoft.us there"},
		"a cloud on loopback":     {"cloud: public\n      access_token: x\n      graph_url: http://127.0.0.1:1", "FILE:9: cloud public and graph_url http://127.0.0.1:1 contradict each other"},
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(t, signing+"      "+tc.add+"\n", env)
			if !strings.Contains(got, tc.want) || strings.Contains(got, "hush") || strings.Contains(got, "BEGIN PRIVATE") {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	if got := problems(t, strings.Replace(signing, client, "", 1)+"      federated_token_file: /a\n", env); !strings.Contains(got, "client_id is missing") {
		t.Errorf("without client_id: %s", got)
	}
}

// The name of a cloud stands for where its Graph is; the address may stand beside it if it is that one.
func TestACloudIsWhereItsGraphIs(t *testing.T) {
	for add, want := range map[string]string{
		"":                 "https://graph.microsoft.com",
		"cloud: public":    "https://graph.microsoft.com",
		"cloud: usgov":     "https://graph.microsoft.us",
		"cloud: usgov-dod": "https://dod-graph.microsoft.us",
		"cloud: china":     "https://microsoftgraph.chinacloudapi.cn",
		"graph_url: https://dod-graph.microsoft.us":                       "https://dod-graph.microsoft.us",
		"cloud: usgov\n      graph_url: https://graph.microsoft.us/v1.0/": "https://graph.microsoft.us/v1.0",
	} {
		got, err := config.Load(write(t, signing+"      client_secret: ${env:SET}\n      "+add+"\n"), environment("SET", "hush"))
		if err != nil {
			t.Errorf("%q: %v", add, err)
			continue
		}
		if e := got.Connections[0].Entra; e.GraphURL != want || !strings.Contains(got.Redacted(), "graph_url: "+want) {
			t.Errorf("%q: graph_url %s, want %s", add, e.GraphURL, want)
		}
	}
}
