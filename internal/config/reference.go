package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// maxSecretFile bounds what ${file:PATH} reads.
const maxSecretFile = 64 << 10

const (
	referenceSyntax   = `^\$\{(env|file):([^{}]+)\}$`
	environmentSyntax = `^[A-Za-z_][A-Za-z0-9_]*$`
)

// errLiteral reports a value that is no reference at all.
var errLiteral = errors.New("not a reference")

// expand returns what text, a whole reference, refers to. Its errors name the variable or file, never the value.
func expand(text string, env func(string) (string, bool)) (Secret, error) {
	if !strings.Contains(text, "${") {
		return "", errLiteral
	}
	parts := regexp.MustCompile(referenceSyntax).FindStringSubmatch(text)
	if parts == nil {
		return "", errors.New("must be one reference and nothing else: write ${env:NAME} or ${file:PATH}")
	}
	if parts[1] == "env" {
		return fromEnvironment(parts[2], env)
	}
	return fromFile(parts[2])
}

func fromEnvironment(name string, env func(string) (string, bool)) (Secret, error) {
	if !matches(environmentSyntax, name) {
		return "", errors.New("names no environment variable: write letters, digits and _, such as ${env:ENTRA_CLIENT_SECRET}")
	}
	value, ok := env(name)
	if !ok {
		return "", fmt.Errorf("refers to the environment variable %s, which is not set", name)
	}
	if value = strings.TrimRight(value, "\r\n"); value == "" {
		return "", fmt.Errorf("refers to the environment variable %s, which is empty", name)
	}
	return Secret(value), nil
}

func fromFile(path string) (Secret, error) {
	text, err := readSecretFile(path)
	if err != nil {
		return "", fmt.Errorf("refers to a file that can't be read: %w", err)
	}
	value := strings.TrimRight(string(text), "\r\n")
	switch {
	case value == "":
		return "", fmt.Errorf("refers to the file %s, which is empty", path)
	case len(text) > maxSecretFile:
		return "", fmt.Errorf("refers to the file %s, which is larger than %d bytes: no secret is", path, maxSecretFile)
	}
	return Secret(value), nil
}

// readSecretFile reads one byte more than is allowed at most.
func readSecretFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, maxSecretFile+1))
}

// secret reads a key that must be a reference into into; variable is the name that messages suggest.
func (s *section) secret(key, variable string, into *Secret) {
	text, line, ok := s.raw(key)
	if !ok {
		return
	}
	value, err := expand(text, s.doc.env)
	if errors.Is(err, errLiteral) {
		s.doc.problemf(line, "%s must not stand in the file itself: write %s: ${env:%s}, or %s: \"${file:/run/secrets/NAME}\"",
			key, key, variable, key)
		return
	}
	if err != nil {
		s.doc.problemf(line, "%s %v", key, err)
		return
	}
	*into = value
}

// secretOrLiteral reads a key that may be a reference or stand in the file itself.
func (s *section) secretOrLiteral(key string, into *Secret) {
	text, line, ok := s.raw(key)
	if !ok {
		return
	}
	value, err := expand(text, s.doc.env)
	switch {
	case errors.Is(err, errLiteral):
		*into = Secret(text)
	case err != nil:
		s.doc.problemf(line, "%s %v", key, err)
	default:
		*into = value
	}
}

// databaseURL reads a key that may be a reference, or a URL without a password.
func (s *section) databaseURL(key string, into *Secret) {
	text, line, ok := s.raw(key)
	if !ok {
		return
	}
	value, err := expand(text, s.doc.env)
	if errors.Is(err, errLiteral) {
		if holdsPassword(text) {
			s.doc.problemf(line, "%s must not hold a password in the file: write %s: ${env:NAME}, or leave it out and set ROSTERD_DATABASE_URL", key, key)
			return
		}
		value, err = Secret(text), nil
	}
	if err == nil {
		_, err = checkDatabaseURL(value.Reveal())
	}
	if err != nil {
		s.doc.problemf(line, "%s %v", key, err)
		return
	}
	*into = value
}
