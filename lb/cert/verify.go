package cert

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
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
