import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.security.Security;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * CMP clients and CAs of Bouncy Castle, for tests of the gateway: one process for many, since it starts slowly.
 * Standard input has one of these a line, its words separated by tabs; each is answered by one line that begins
 * with its TAG, and what a CA notices later by further lines with the CA's.
 *
 * <pre>
 * TAG client url=URL subject=DN key=KEY command=ir|cr|kur|p10cr confirm=implicit|explicit
 *     protect=signature cert=FILE private=FILE trusted=FILE
 *     protect=pbm|pbmac1 reference=R secret=FILE iterations=N, and what Protection says; trusted=FILE: refusals may be signed
 *     nested=1 ra-cert=FILE ra-private=FILE: the request inside a nested message of an RA
 *   -> enrolled … transaction=ID, refused … transaction=ID, or broken …
 * TAG ca key=KEY responder-key=KEY root-out=FILE
 *     trusted=FILE: roots of who may ask by signature; ra-trusted=FILE: those of RAs, who may nest and say
 *     raVerified; reference=R secret=FILE: who may ask by MAC
 *   -> listening PORT, then for each message took transaction=ID protection=… sender=DN (nested=DN of the
 *      message in it), or fault … if it does not take it
 * KEY is ec, ed25519, ed448, or the path of an RSA key.
 * </pre>
 */
public final class Peer {
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null;) {
            String[] words = line.split("\t");
            Map<String, String> options = new HashMap<>();
            for (String one : Arrays.copyOfRange(words, 2, words.length)) {
                int equals = one.indexOf('=');
                options.put(one.substring(0, equals), one.substring(equals + 1));
            }
            // Clients wait for the gateway, which others may be asking meanwhile.
            new Thread(() -> run(words[0], words[1], options)).start();
        }
        System.exit(0);
    }

    static void run(String tag, String what, Map<String, String> options) {
        try {
            switch (what) {
                case "client" -> say(tag, new Client(options).run());
                case "ca" -> new Ca(tag, options).run();
                default -> throw new IllegalArgumentException(what);
            }
        } catch (Exception fault) {
            say(tag, "broken " + fault);
        }
    }

    /** One line of output, whole. */
    static void say(String tag, String text) {
        synchronized (System.out) {
            System.out.println(tag + " " + text.replace('\n', ' '));
            System.out.flush();
        }
    }

    static void require(boolean holds, String what) {
        if (!holds) throw new IllegalStateException(what);
    }
}
