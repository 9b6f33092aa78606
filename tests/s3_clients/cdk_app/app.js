// A small app as somebody who uses CDK and Access Grants writes it: a bucket, a location over it,
// and a grant on one folder for a role. Constructs for Access Grants exist at level 1 only.
const cdk = require("aws-cdk-lib");
const { aws_iam: iam, aws_s3: s3 } = cdk;

const app = new cdk.App();
const stack = new cdk.Stack(app, "GrantsApp");
const data = new s3.Bucket(stack, "Data", { removalPolicy: cdk.RemovalPolicy.DESTROY });
const reader = new iam.Role(stack, "Reader", { assumedBy: new iam.AccountRootPrincipal() });
const service = new iam.ServicePrincipal("access-grants.s3.amazonaws.com");
const serving = new iam.Role(stack, "Serving", { assumedBy: service });
serving.assumeRolePolicy.addStatements(
  new iam.PolicyStatement({ actions: ["sts:SetSourceIdentity"], principals: [service] }),
);
data.grantReadWrite(serving);
const instance = new s3.CfnAccessGrantsInstance(stack, "Instance", {});
const location = new s3.CfnAccessGrantsLocation(stack, "Location", {
  locationScope: `s3://${data.bucketName}/`,
  iamRoleArn: serving.roleArn,
});
location.addResourceDependency(instance);
const grant = new s3.CfnAccessGrant(stack, "Grant", {
  accessGrantsLocationId: location.attrAccessGrantsLocationId,
  accessGrantsLocationConfiguration: { s3SubPrefix: app.node.tryGetContext("folder") + "/*" },
  permission: "READ",
  grantee: { granteeType: "IAM", granteeIdentifier: reader.roleArn },
});
new cdk.CfnOutput(stack, "GrantId", { value: grant.attrAccessGrantId });
