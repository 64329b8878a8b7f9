import java.io.FileReader;
import java.io.IOException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.RSAPublicKeySpec;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

/** Keys and certificates: made, and read from PEM. */
final class Keys {
    static final String BC = BouncyCastleProvider.PROVIDER_NAME;
    static final SecureRandom RANDOM = new SecureRandom();

    /** A new key; where `kind` is a path, the RSA key in that file (to make one takes Java seconds). */
    static KeyPair create(String kind) throws Exception {
        if (kind.startsWith("/")) {
            RSAPrivateCrtKey key = (RSAPrivateCrtKey) read(kind);
            RSAPublicKeySpec known = new RSAPublicKeySpec(key.getModulus(), key.getPublicExponent());
            return new KeyPair(KeyFactory.getInstance("RSA", BC).generatePublic(known), key);
        }
        KeyPairGenerator generator;
        switch (kind) {
            case "ec" -> {
                generator = KeyPairGenerator.getInstance("EC", BC);
                generator.initialize(new ECGenParameterSpec("P-256"), RANDOM);
            }
            case "ed25519" -> generator = KeyPairGenerator.getInstance("Ed25519", BC);
            case "ed448" -> generator = KeyPairGenerator.getInstance("Ed448", BC);
            default -> throw new IllegalArgumentException(kind);
        }
        return generator.generateKeyPair();
    }

    static ContentSigner signer(PrivateKey key) throws Exception {
        String algorithm = switch (key.getAlgorithm()) {
            case "EC", "ECDSA" -> "SHA256withECDSA";
            case "RSA" -> "SHA256withRSA";
            default -> key.getAlgorithm();
        };
        return new JcaContentSignerBuilder(algorithm).setProvider(BC).build(key);
    }

    static ContentVerifierProvider verifier(X509CertificateHolder certificate) throws Exception {
        return new JcaContentVerifierProviderBuilder().setProvider(BC).build(certificate);
    }

    static PrivateKey read(String path) throws Exception {
        try (PEMParser parser = new PEMParser(new FileReader(path))) {
            Object read = parser.readObject();
            JcaPEMKeyConverter converter = new JcaPEMKeyConverter().setProvider(BC);
            if (read instanceof PEMKeyPair pair) return converter.getKeyPair(pair).getPrivate();
            return converter.getPrivateKey((PrivateKeyInfo) read);
        }
    }

    static List<X509CertificateHolder> certificates(String path) throws IOException {
        List<X509CertificateHolder> all = new ArrayList<>();
        try (PEMParser parser = new PEMParser(new FileReader(path))) {
            for (Object one; (one = parser.readObject()) != null;) all.add((X509CertificateHolder) one);
        }
        return all;
    }

    static byte[] random(int octets) {
        byte[] made = new byte[octets];
        RANDOM.nextBytes(made);
        return made;
    }
}
