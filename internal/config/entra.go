package config

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// federatedTokenVariable is where a platform says in which file its token is (Azure Workload Identity documentation,
// "Mutating Admission Webhook").
const federatedTokenVariable = "AZURE_FEDERATED_TOKEN_FILE"

// graphOf returns where Microsoft Graph is in a cloud (Graph documentation, "Microsoft Graph national cloud deployments").
func graphOf(cloud string) string {
	return map[string]string{
		CloudPublic: DefaultGraphURL, CloudUSGov: "https://graph.microsoft.us", CloudUSGovDoD: "https://dod-graph.microsoft.us",
		CloudChina: "https://microsoftgraph.chinacloudapi.cn",
	}[cloud]
}

// cloud reads the name of a national cloud, which stands for the address of its Graph.
func (s *section) cloud(e *Entra) {
	s.checked("cloud", &e.Cloud, oneOf(CloudPublic, CloudUSGov, CloudUSGovDoD, CloudChina))
	graph := graphOf(e.Cloud)
	if graph == "" {
		return
	}
	if _, given := s.get("graph_url"); !given {
		e.GraphURL = graph
	} else if !sameOrigin(e.GraphURL, graph) {
		s.doc.problemf(s.values["cloud"].line, "cloud %s and graph_url %s contradict each other: take graph_url out, as Graph is at %s there, or take cloud out",
			e.Cloud, e.GraphURL, graph)
	}
}

// sameOrigin reports whether two addresses are of one server.
func sameOrigin(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	return err == nil && x.Scheme == y.Scheme && strings.EqualFold(x.Hostname(), y.Hostname()) && (x.Port() == "" || x.Port() == "443")
}

// entraCredentials reads the one way to sign in: nothing is tried one after the other, so that nobody wonders whose
// rights a run has.
func (s *section) entraCredentials(e *Entra) {
	s.secretOrLiteral("access_token", &e.AccessToken)
	s.secret("client_secret", "ENTRA_CLIENT_SECRET", &e.ClientSecret)
	s.certificate("certificate", &e.Certificate)
	s.flag("send_certificate_chain", &e.SendCertificateChain)
	federated := s.federatedToken(e)
	s.managedIdentity("managed_identity", &e.ManagedIdentity)

	var ways []string
	for _, key := range []string{"access_token", "client_secret", "certificate", federated, "managed_identity"} {
		if _, given := s.get(key); given {
			ways = append(ways, key)
		}
	}
	s.oneWay(ways)
	if _, given := s.get("send_certificate_chain"); given && !slices.Contains(ways, "certificate") {
		s.doc.problemf(s.values["send_certificate_chain"].line, "send_certificate_chain is for signing in with a certificate: take it out")
	}
	switch token, hasToken := s.get("access_token"); {
	case hasToken:
		s.checked("client_id", &e.ClientID, checkGUID)
		if !plainLoopback(e.GraphURL) {
			s.doc.problemf(token.line, "access_token works only with a graph_url that is plain http on a loopback address: write client_id and client_secret instead")
		}
	case slices.Contains(ways, "managed_identity"):
		if id, given := s.get("client_id"); given && len(ways) == 1 {
			s.doc.problemf(id.line, "client_id is for an app registration, and a managed identity signs in without one: take it out, or write it as managed_identity if it is the identity's own")
		}
	default:
		s.required("client_id", &e.ClientID, exampleGUID, checkGUID)
		if len(ways) == 0 {
			s.missing("client_secret", "${env:ENTRA_CLIENT_SECRET}, or certificate, workload_identity or managed_identity in its place")
		}
	}
}

// oneWay complains of a second way to sign in, and of every further one.
func (s *section) oneWay(ways []string) {
	for i, key := range ways {
		switch {
		case i == 0:
		case ways[0] == "access_token":
			s.doc.problemf(s.values["access_token"].line, "access_token stands in for %s: keep one of the two", key)
		default:
			s.doc.problemf(s.values[key].line, "%s and %s are two ways to sign in: keep one of the two", ways[0], key)
		}
	}
}

// federatedToken reads where the token of the platform is, and returns the key that chooses this way, or "".
func (s *section) federatedToken(e *Entra) string {
	on := false
	s.flag("workload_identity", &on)
	s.checked("federated_token_file", &e.FederatedTokenFile, checkTokenFile)
	_, hasFile := s.get("federated_token_file")
	set, hasFlag := s.get("workload_identity")
	switch {
	case hasFile && hasFlag && !on:
		s.doc.problemf(set.line, "workload_identity: false and federated_token_file contradict each other: take one of the two out")
		return ""
	case hasFile:
		return "federated_token_file"
	case !on:
		return ""
	}
	path, ok := s.doc.env(federatedTokenVariable)
	if !ok || path == "" {
		s.doc.problemf(set.line, "workload_identity reads the file that the environment variable %s names, and it is not set: write federated_token_file: PATH, or have the platform set it",
			federatedTokenVariable)
	}
	e.FederatedTokenFile = path
	return "workload_identity"
}

func checkTokenFile(text string) (string, error) {
	if strings.ContainsAny(text, "\n\r\x00") {
		return "", errors.New("must be the path of a file, such as /var/run/secrets/azure/tokens/azure-identity-token")
	}
	return text, nil
}

// managedIdentity reads system, or the client id of an identity that the user assigned.
func (s *section) managedIdentity(key string, into *string) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	const want = "managed_identity must be system, or the client id of a user-assigned identity, such as " + exampleGUID
	if _, isText := scalar(v.node); !isText && v.node.Type() != ast.AnchorType {
		s.doc.problemf(v.line, want)
		return
	}
	s.checked(key, into, func(text string) (string, error) {
		if text == ManagedIdentitySystem {
			return text, nil
		}
		id, err := checkGUID(text)
		if err != nil {
			return "", errors.New(strings.TrimPrefix(want, "managed_identity "))
		}
		return id, nil
	})
}

// certificate is secret for a certificate and its private key in PEM.
func (s *section) certificate(key string, into *Secret) {
	s.secret(key, "ENTRA_CERTIFICATE", into)
	if *into == "" {
		return
	}
	if err := checkCertificate(into.Reveal()); err != nil {
		s.doc.problemf(s.values[key].line, "%s refers to what can't be signed in with: %v", key, err)
		*into = ""
	}
}

// checkCertificate looks for a certificate and its RSA key, which is what the sign-in library takes. Whether it has expired is
// no matter of the file: pushes are to go on then.
func checkCertificate(text string) error {
	var certs []*x509.Certificate
	var key crypto.PrivateKey
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		var err error
		switch {
		case block.Type == "CERTIFICATE":
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err != nil {
				return errors.New("its certificate can't be read")
			}
			certs = append(certs, cert)
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return errors.New("its private key is encrypted: write it without a passphrase, as `openssl rsa -in FILE -out KEY.pem` does")
		case key != nil && strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return errors.New("it holds more than one private key: keep that of the certificate")
		case block.Type == "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case block.Type == "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		}
		if err != nil {
			return errors.New("its private key can't be read")
		}
	}
	return checkPair(certs, key)
}

// checkPair looks for the certificate that a key is of.
func checkPair(certs []*x509.Certificate, key crypto.PrivateKey) error {
	switch {
	case len(certs) == 0 && key == nil:
		return errors.New(`it holds no PEM, which begins with "-----BEGIN CERTIFICATE-----": make one of a .pfx file by ` +
			"`openssl pkcs12 -in FILE.pfx -noenc -out FILE.pem`")
	case len(certs) == 0:
		return errors.New("it holds a private key and no certificate: put both into one file")
	case key == nil:
		return errors.New("it holds a certificate and no private key: put both into one file")
	}
	mine, isRSA := key.(*rsa.PrivateKey)
	if !isRSA {
		return errors.New("its private key is not RSA, which is what Entra takes: make one of that kind")
	}
	if !slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return mine.PublicKey.Equal(c.PublicKey) }) {
		return errors.New("its private key does not belong to its certificate: put the two that belong together into one file")
	}
	return nil
}
