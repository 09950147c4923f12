package cert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// VerifyMode is the value of ssl_verify_client.
type VerifyMode uint8

// The values of ssl_verify_client.
const (
	VerifyOff          VerifyMode = iota
	VerifyOn                      // a good certificate is required
	VerifyOptional                // none is fine, a bad one is not
	VerifyOptionalNoCA            // its chain may end at an authority that is not trusted
)

// The codes of nginx's internal statuses for client certificates; both are sent as 400.
const (
	StatusCertError  = 495 // a bad certificate
	StatusNoCert     = 496 // no certificate where one is required
	defaultMaxDepth  = 1
	reasonSuccessful = "SUCCESS"
)

// Verification is the judgement on a peer's certificate.
type Verification struct {
	Present bool // a certificate was sent
	Code    int  // OpenSSL's number of the reason, 0 if there is nothing wrong
	Reason  string
	// Status is 0 if requests may go on, StatusCertError or StatusNoCert otherwise.
	Status int
}

// String returns the value of $ssl_client_verify: "SUCCESS", "NONE" or "FAILED:reason".
func (v Verification) String() string {
	switch {
	case !v.Present:
		return "NONE"
	case v.Code == 0:
		return reasonSuccessful
	}
	return "FAILED:" + v.Reason
}

// LogText returns the words nginx logs about a connection whose Status is not 0, and "" for any other.
func (v Verification) LogText() string {
	switch v.Status {
	case StatusNoCert:
		return "client sent no required SSL certificate"
	case StatusCertError:
		return fmt.Sprintf("client SSL certificate verify error: (%d:%s)", v.Code, v.Reason)
	}
	return ""
}

// Verify judges the client's certificate after the handshake. It costs signatures, so its result is to be kept with the connection.
func (s *Server) Verify(state *tls.ConnectionState) Verification {
	if s.mode == VerifyOff {
		return Verification{}
	}
	if len(state.PeerCertificates) == 0 {
		v := Verification{}
		if s.mode == VerifyOn {
			v.Status = StatusNoCert
		}
		return v
	}
	v := Verification{Present: true}
	v.Code = s.verifier.check(state.PeerCertificates, time.Now())
	v.Reason = reasonText(v.Code)
	if v.Code != 0 && !(s.mode == VerifyOptionalNoCA && untrustedOnly(v.Code)) {
		v.Status = StatusCertError
	}
	return v
}

func (s *Server) setClientVerify(o *ServerOptions) error {
	roots := x509.NewCertPool()
	if o.ClientCA != "" {
		authorities, err := loadAuthorities(o.ClientCA)
		if err != nil {
			return err
		}
		s.config.ClientCAs = x509.NewCertPool() // only advertised: crypto/tls does not verify
		for _, c := range authorities {
			s.config.ClientCAs.AddCert(c)
			roots.AddCert(c)
		}
	}
	if err := addAuthorities(roots, o.TrustedCA); err != nil {
		return err
	}
	depth := defaultMaxDepth
	if o.VerifyDepthSet {
		depth = o.VerifyDepth
	}
	var err error
	s.verifier, err = newVerifier(roots, o.CRL, depth, x509.ExtKeyUsageClientAuth)
	if o.ClientVerify != VerifyOff {
		s.config.ClientAuth = tls.RequestClientCert
	}
	return err
}

// loadAuthorities reads the certificates of a file of trusted ones.
func loadAuthorities(file string) ([]*x509.Certificate, error) {
	call := fmt.Sprintf("SSL_CTX_load_verify_locations(%q)", shown(file))
	text, err := readPEM(file)
	if err != nil {
		return nil, failed(call, readReason(err))
	}
	list, err := parseCertificates(text)
	if err != nil {
		return nil, failed(call, err.Error())
	}
	if len(list) == 0 {
		return nil, failed(call, noCertInFile)
	}
	return list, nil
}

// addAuthorities adds the certificates of a file, if one is named.
func addAuthorities(pool *x509.CertPool, file string) error {
	if file == "" {
		return nil
	}
	list, err := loadAuthorities(file)
	for _, c := range list {
		pool.AddCert(c)
	}
	return err
}

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
		code = codeChainTooLong
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

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }
