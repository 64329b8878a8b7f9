import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.cmp.CMPObjectIdentifiers;
import org.bouncycastle.asn1.cmp.PBMParameter;
import org.bouncycastle.asn1.cmp.PKIMessage;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.oiw.OIWObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PBKDF2Params;
import org.bouncycastle.asn1.pkcs.PBMAC1Params;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.cmp.GeneralPKIMessage;
import org.bouncycastle.cert.cmp.ProtectedPKIMessage;
import org.bouncycastle.cert.cmp.ProtectedPKIMessageBuilder;
import org.bouncycastle.cert.crmf.PKMACBuilder;
import org.bouncycastle.cert.crmf.jcajce.JcePKMACValuesCalculator;
import org.bouncycastle.operator.GenericKey;
import org.bouncycastle.operator.MacCalculator;
import org.bouncycastle.pkcs.jcajce.JcePBMac1CalculatorBuilder;

/** How one side protects what it says, and verifies what the other does. */
interface Protection {
    PKIMessage build(ProtectedPKIMessageBuilder builder) throws Exception;

    /** Throws unless the message is protected as this side wants it to be. */
    void verify(PKIMessage message) throws Exception;

    /** signature, pbm or pbmac1. */
    String name();

    static boolean isMac(PKIMessage message) {
        ASN1ObjectIdentifier algorithm = message.getHeader().getProtectionAlg().getAlgorithm();
        return algorithm.equals(PKCSObjectIdentifiers.id_PBMAC1) || algorithm.equals(CMPObjectIdentifiers.passwordBasedMac);
    }

    /** By a key and its certificate; the other side's certificates are issued by one of `trusted`. */
    final class Signature implements Protection {
        private final List<X509CertificateHolder> own;
        private final PrivateKey key;
        private final List<X509CertificateHolder> trusted;
        private X509CertificateHolder peer;  // of an earlier message: a later one may leave it out

        Signature(List<X509CertificateHolder> own, PrivateKey key, List<X509CertificateHolder> trusted) {
            this.own = own;
            this.key = key;
            this.trusted = trusted;
        }

        @Override
        public String name() {
            return "signature";
        }

        @Override
        public PKIMessage build(ProtectedPKIMessageBuilder builder) throws Exception {
            for (X509CertificateHolder one : own) builder.addCMPCertificate(one);
            SubjectKeyIdentifier kid = SubjectKeyIdentifier.fromExtensions(own.get(0).getExtensions());
            builder.setSenderKID(kid.getKeyIdentifier());
            return builder.build(Keys.signer(key)).toASN1Structure();
        }

        @Override
        public void verify(PKIMessage message) throws Exception {
            ProtectedPKIMessage guarded = new ProtectedPKIMessage(new GeneralPKIMessage(message.getEncoded()));
            Peer.require(!isMac(message), "a MAC, not a signature");
            X509CertificateHolder[] extra = guarded.getCertificates();
            X509CertificateHolder signer = extra.length == 0 ? peer : extra[0];
            Peer.require(signer != null, "no certificate with the message");
            boolean issued = false;
            for (X509CertificateHolder one : trusted) {
                issued |= one.getSubject().equals(signer.getIssuer()) && signer.isSignatureValid(Keys.verifier(one));
            }
            Peer.require(issued && signer.isValidOn(new Date()), "signer not trusted: " + signer.getSubject());
            Peer.require(guarded.verify(Keys.verifier(signer)), "bad signature");
            Peer.require(signer.getSubject().equals(message.getHeader().getSender().getName()), "sender is not the signer");
            peer = signer;
        }
    }

    /**
     * By a secret: PasswordBasedMac (owf=sha1|sha256|sha512, mac=hmac-sha1|hmac-sha256|hmac-sha512) or PBMAC1
     * (prf=sha256|sha512, mac=HmacSHA256|HmacSHA384|HmacSHA512, key-bits=N), with iterations=N and salt=OCTETS.
     * mislabelled=1 leaves PBMAC1 as Labelled finds it.
     */
    final class Mac implements Protection {
        private final Map<String, String> options;
        private final boolean pbmac1;

        Mac(Map<String, String> options) {
            this.options = options;
            pbmac1 = options.get("protect").equals("pbmac1");
        }

        @Override
        public String name() {
            return options.get("protect");
        }

        private char[] secret() throws IOException {
            return Files.readString(Path.of(options.get("secret"))).strip().toCharArray();
        }

        private int number(String name, int otherwise) {
            return options.containsKey(name) ? Integer.parseInt(options.get(name)) : otherwise;
        }

        private AlgorithmIdentifier digest() {
            return new AlgorithmIdentifier(switch (options.getOrDefault("owf", "sha256")) {
                case "sha1" -> OIWObjectIdentifiers.idSHA1;
                case "sha512" -> NISTObjectIdentifiers.id_sha512;
                default -> NISTObjectIdentifiers.id_sha256;
            });
        }

        private AlgorithmIdentifier hmac() {
            return new AlgorithmIdentifier(switch (options.getOrDefault("mac", "hmac-sha256")) {
                case "hmac-sha1" -> new ASN1ObjectIdentifier("1.3.6.1.5.5.8.1.2");
                case "hmac-sha512" -> PKCSObjectIdentifiers.id_hmacWithSHA512;
                default -> PKCSObjectIdentifiers.id_hmacWithSHA256;
            });
        }

        @Override
        public PKIMessage build(ProtectedPKIMessageBuilder builder) throws Exception {
            builder.setSenderKID(options.get("reference").getBytes());
            int iterations = number("iterations", 1000);
            byte[] salt = Keys.random(number("salt", 16));
            if (!pbmac1) {
                PBMParameter parameter = new PBMParameter(salt, digest(), iterations, hmac());
                return builder.build(new PKMACBuilder(new JcePKMACValuesCalculator().setProvider(Keys.BC))
                        .setParameters(parameter).build(secret())).toASN1Structure();
            }
            MacCalculator calculator = new JcePBMac1CalculatorBuilder(options.getOrDefault("mac", "HmacSHA256"), number("key-bits", 256))
                    .setProvider(Keys.BC).setIterationCount(iterations).setSalt(salt)
                    .setPrf("sha512".equals(options.get("prf")) ? JcePBMac1CalculatorBuilder.PRF_SHA512
                            : JcePBMac1CalculatorBuilder.PRF_SHA256)
                    .build(secret());
            return builder.build(options.containsKey("mislabelled") ? calculator : new Labelled(calculator)).toASN1Structure();
        }

        @Override
        public void verify(PKIMessage message) throws Exception {
            ASN1ObjectIdentifier algorithm = message.getHeader().getProtectionAlg().getAlgorithm();
            if (pbmac1) {
                Peer.require(algorithm.equals(PKCSObjectIdentifiers.id_PBMAC1), "protected by " + algorithm + ", not PBMAC1");
                verifyPbmac1(message);
            } else {
                Peer.require(algorithm.equals(CMPObjectIdentifiers.passwordBasedMac), "protected by " + algorithm + ", not PBM");
                ProtectedPKIMessage guarded = new ProtectedPKIMessage(new GeneralPKIMessage(message.getEncoded()));
                Peer.require(guarded.verify(new PKMACBuilder(new JcePKMACValuesCalculator().setProvider(Keys.BC)), secret()), "bad MAC");
            }
            ASN1OctetString kid = message.getHeader().getSenderKID();
            Peer.require(kid != null && Arrays.equals(kid.getOctets(), options.get("reference").getBytes()), "another senderKID");
        }

        /** As its provider would, which in 1.80 forgets the message's PRF and takes HMAC with SHA-256. */
        private void verifyPbmac1(PKIMessage message) throws Exception {
            PBMAC1Params parameters = PBMAC1Params.getInstance(message.getHeader().getProtectionAlg().getParameters());
            PBKDF2Params derivation = PBKDF2Params.getInstance(parameters.getKeyDerivationFunc().getParameters());
            ASN1ObjectIdentifier hmac = parameters.getMessageAuthScheme().getAlgorithm();
            String name = hmac.equals(PKCSObjectIdentifiers.id_hmacWithSHA256) ? "HmacSHA256"
                    : hmac.equals(PKCSObjectIdentifiers.id_hmacWithSHA384) ? "HmacSHA384" : "HmacSHA512";
            MacCalculator calculator = new JcePBMac1CalculatorBuilder(name, derivation.getKeyLength().intValueExact() * 8)
                    .setProvider(Keys.BC).setIterationCount(derivation.getIterationCount().intValueExact())
                    .setSalt(derivation.getSalt()).setPrf(derivation.getPrf()).build(secret());
            try (OutputStream output = calculator.getOutputStream()) {
                output.write(new DERSequence(new ASN1Encodable[] {message.getHeader(), message.getBody()}).getEncoded("DER"));
            }
            Peer.require(MessageDigest.isEqual(calculator.getMac(), message.getProtection().getOctets()), "bad MAC");
        }
    }

    /**
     * Bouncy Castle 1.80 derives by PBKDF2 and writes its parameters, but names the function id-PBES2 (RFC 8018 A.5
     * wants id-PBKDF2). This says what was done, so that the MAC itself is compared.
     */
    final class Labelled implements MacCalculator {
        private final MacCalculator of;
        private final AlgorithmIdentifier algorithm;

        Labelled(MacCalculator of) {
            this.of = of;
            AlgorithmIdentifier said = of.getAlgorithmIdentifier();
            PBMAC1Params parameters = PBMAC1Params.getInstance(said.getParameters());
            AlgorithmIdentifier function = new AlgorithmIdentifier(PKCSObjectIdentifiers.id_PBKDF2,
                    parameters.getKeyDerivationFunc().getParameters());
            algorithm = new AlgorithmIdentifier(said.getAlgorithm(), new PBMAC1Params(function, parameters.getMessageAuthScheme()));
        }

        @Override
        public AlgorithmIdentifier getAlgorithmIdentifier() {
            return algorithm;
        }

        @Override
        public OutputStream getOutputStream() {
            return of.getOutputStream();
        }

        @Override
        public byte[] getMac() {
            return of.getMac();
        }

        @Override
        public GenericKey getKey() {
            return of.getKey();
        }
    }
}
