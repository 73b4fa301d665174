import com.google.api.client.http.GenericUrl;
import com.google.api.client.http.HttpRequest;
import com.google.api.client.http.HttpResponse;
import com.google.api.client.http.javanet.NetHttpTransport;
import com.google.auth.http.HttpCredentialsAdapter;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.auth.oauth2.IdTokenCredentials;
import com.google.auth.oauth2.IdTokenProvider;

/** The sample of Google's documentation: requests authorized by what the environment has. */
public class Client {
  public static void main(String[] args) throws Exception {
    String url = args[0];
    GoogleCredentials credentials = GoogleCredentials.getApplicationDefault();
    IdTokenCredentials tokens = IdTokenCredentials.newBuilder()
        .setIdTokenProvider((IdTokenProvider) credentials)
        .setTargetAudience(url)
        .build();
    HttpRequest request = new NetHttpTransport()
        .createRequestFactory(new HttpCredentialsAdapter(tokens))
        .buildGetRequest(new GenericUrl(url));
    HttpResponse response = request.setThrowExceptionOnExecuteError(false).execute();
    System.out.println(response.getStatusCode());
    System.out.println(response.parseAsString());
  }
}
