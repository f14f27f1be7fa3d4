"""Amazon Inspector."""

from local.provider.entry import Resource, call

TYPES = [
    Resource(
        token="aws:inspector2/enabler:Enabler",
        service="inspector2",
        create=call("enable", accountIds="inputs.accountIds", resourceTypes="inputs.resourceTypes"),
        id="join('-', [join(':', sort(inputs.accountIds)), join(':', sort(inputs.resourceTypes))])",
        read=[
            call(
                "batch_get_account_status",
                accountIds="inputs.accountIds",
                at="accounts[?state.status == 'ENABLED']",
            )
        ],
        delete=[call("disable", accountIds="inputs.accountIds", resourceTypes="inputs.resourceTypes")],
        reads={
            "resourceTypes": """[
                resourceState.ec2.status == 'ENABLED' && 'EC2',
                resourceState.ecr.status == 'ENABLED' && 'ECR',
                resourceState.lambda.status == 'ENABLED' && 'LAMBDA',
                resourceState.lambdaCode.status == 'ENABLED' && 'LAMBDA_CODE'
            ][?@]"""
        },
        replace=["accountIds", "resourceTypes"],
        delete_first=True,
        example={"accountIds": ["123456789012"], "resourceTypes": ["ECR"]},
        change={"resourceTypes": ["ECR", "LAMBDA"]},
    ),
]
