package cert

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// verifier checks certificate chains as OpenSSL would, and tells its error numbers.
type verifier struct {
	roots *x509.CertPool
	crls  *revocations // nil: revocation is not checked
	depth int          // certificates allowed between the leaf and the trusted authority
	usage x509.ExtKeyUsage
}

func newVerifier(roots *x509.CertPool, crlFile string, depth int, usage x509.ExtKeyUsage) (*verifier, error) {
	v := &verifier{roots: roots, depth: depth, usage: usage}
	if crlFile == "" {
		return v, nil
	}
	text, err := os.ReadFile(crlFile)
	if err != nil {
		return nil, failed(fmt.Sprintf("X509_LOOKUP_load_file(%q)", crlFile), readReason(err))
	}
	if v.crls, err = parseRevocations(text); err != nil {
		return nil, failed(fmt.Sprintf("X509_LOOKUP_load_file(%q)", crlFile), err.Error())
	}
	return v, nil
}

// check returns the number of the last error that OpenSSL would come upon in a chain, or 0.
// Its order is: building the chain, its purpose and length, revocation, and finally signatures and dates.
func (v *verifier) check(sent []*x509.Certificate, now time.Time) int {
	leaf := sent[0]
	options := x509.VerifyOptions{
		Roots:         v.roots,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   inValidity(leaf, now), // dates are looked at last
		KeyUsages:     []x509.ExtKeyUsage{v.usage},
	}
	for _, c := range sent[1:] {
		options.Intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		code := chainCode(sent, err)
		if d := dateCode(leaf, now); d != 0 {
			return d
		}
		return code
	}
	chain := shortest(chains)
	code := 0
	if len(chain) > v.depth+2 {
		code = untrustedCode(sent) // the authority is beyond the depth, so OpenSSL does not find it
	}
	if v.crls != nil {
		if c := v.crls.check(chain, now); c != 0 {
			code = c
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		if d := dateCode(chain[i], now); d != 0 {
			code = d
		}
	}
	return code
}

func shortest(chains [][]*x509.Certificate) []*x509.Certificate {
	best := chains[0]
	for _, c := range chains[1:] {
		if len(c) < len(best) {
			best = c
		}
	}
	return best
}

// inValidity returns the time nearest to now at which the certificate is valid.
func inValidity(c *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore
	case now.After(c.NotAfter):
		return c.NotAfter
	}
	return now
}

func dateCode(c *x509.Certificate, now time.Time) int {
	switch {
	case now.Before(c.NotBefore):
		return codeNotYetValid
	case now.After(c.NotAfter):
		return codeExpired
	}
	return 0
}

// chainCode translates an error of building a chain.
func chainCode(sent []*x509.Certificate, err error) int {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		switch invalid.Reason {
		case x509.Expired:
			return codeExpired
		case x509.IncompatibleUsage:
			return codeBadPurpose
		case x509.NotAuthorizedToSign:
			return codeInvalidCA
		case x509.TooManyIntermediates:
			return codePathLength
		case x509.CANotAuthorizedForThisName:
			return codePermittedViolation
		case x509.TooManyConstraints, x509.UnconstrainedName:
			return codeUnspecified
		}
	}
	return untrustedCode(sent)
}

// untrustedCode returns the number for a chain that does not lead to a trusted authority.
func untrustedCode(sent []*x509.Certificate) int {
	chain := untrustedChain(sent)
	top := chain[len(chain)-1]
	switch {
	case selfIssued(top) && len(chain) == 1:
		return codeSelfSignedLeaf
	case selfIssued(top):
		return codeSelfSignedInChain
	case len(chain) > 1:
		return codeNoLocalIssuer
	}
	return codeLeafNotVerified
}

// untrustedChain goes up from the leaf as far as the certificates sent allow.
func untrustedChain(sent []*x509.Certificate) []*x509.Certificate {
	chain := sent[:1:1]
	for top := sent[0]; !selfIssued(top); top = chain[len(chain)-1] {
		i := slices.IndexFunc(sent, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, top.RawIssuer) && top.CheckSignatureFrom(c) == nil && !slices.Contains(chain, c)
		})
		if i < 0 {
			break
		}
		chain = append(chain, sent[i])
	}
	return chain
}

// selfIssued says whether a certificate is its own issuer by its names and key identifiers.
func selfIssued(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) &&
		(len(c.AuthorityKeyId) == 0 || len(c.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId))
}
